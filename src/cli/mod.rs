//! The commands: what a person types, and what it calls.

mod account;
mod api;
mod api_key;
#[cfg(test)]
mod api_key_tests;
mod apis;
mod app;
mod complete;
mod completions;
mod console;
mod console_roll;
mod context;
mod find;
mod follow;
mod identities;
mod instances;
mod key_service;
mod key_tools;
mod keys;
mod login;
mod logout;
mod man;
mod rack;
mod rack_name;
mod racks;
mod reach;
mod rehearse;
mod reserve;
mod rolls;
mod sandbox;
mod sandbox_api;
mod session;
mod signals;
mod strategy;
mod switch;
mod usage;
mod version;
mod way;

pub use app::{command, run};
