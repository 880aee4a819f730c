//! The pages, as a browser asks for them.

mod browser;
mod flows;
mod guarded;
mod secrets;
mod signing_in;
