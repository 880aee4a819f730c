//! The rules of API keys alone, as the program has them, and what their fuzz targets look at.

pub mod database;
#[path = "../../src/ids.rs"]
pub mod ids;
#[path = "../../src/keys/mod.rs"]
pub mod keys;
pub mod statement;
