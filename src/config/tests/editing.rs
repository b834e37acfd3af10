//! Changes made by keyfob itself.
