"""Tokens and login requests, altered at random: nothing altered may pass, nothing may break the tool."""
