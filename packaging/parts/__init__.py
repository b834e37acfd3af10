"""What packaging/build and packaging/test are made of: a module for each kind of package."""
