"""Administration: platforms, invitations, signing keys and the trail of launches, as pages and for the command line."""
