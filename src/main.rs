//! The `wsinspect` program: the thin edge over the library.

fn main() {}
