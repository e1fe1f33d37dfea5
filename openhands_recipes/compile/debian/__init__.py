"""Debian: releases, package lists, versions, solving, the dpkg database."""
