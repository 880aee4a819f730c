//! The classic CLI's files, read and written so that it still reads them.
//!
//! Which directory, and in which form, is told by what is there: version 2 of the classic
//! keeps `host` and the file `racks`, version 3 `console`, `current` and the directory
//! `racks`. Both keep `auth`. Nothing that is not ours to change is ever dropped.

mod files;
mod holder;
#[cfg(test)]
mod holder_tests;
mod json;
mod logins;
mod place;
#[cfg(test)]
mod tests;

pub use holder::LoginHolder;
pub use logins::{Logins, Staged};
pub use place::{Chosen, Classic, Layout, LoggedOut};
