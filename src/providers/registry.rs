//! Every provider, one line each.
