//! Running other programs: what is hidden in their output.
