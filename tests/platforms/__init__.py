"""Two real platforms that tests launch from: the practice LMS and Open edX."""
