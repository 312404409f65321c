"""Registration by one pasted URL: LTI dynamic registration 1.0, and the key that Canvas takes instead."""
