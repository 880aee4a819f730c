//! Everything that a person or a CI log sees.

mod bars;
mod board;
#[cfg(test)]
pub(crate) mod canned;
mod colour;
mod error;
mod exit;
mod fleet;
mod forecast;
mod info;
mod json;
mod plain;
mod plan;
mod plan_services;
mod printer;
mod report;
mod rolls;
mod screen;
mod system;
mod table;
#[cfg(test)]
mod terminal;
mod text;
mod words;

pub use bars::Bars;
pub use board::Board;
pub use colour::Colour;
pub use error::CliError;
pub use exit::Exit;
pub use fleet::{
    FleetView, print_fleet_plans, print_fleet_plans_json, print_fleet_report, print_fleet_summary,
};
pub use forecast::{forecast_svg, print_forecast};
pub use info::Info;
pub use json::{JsonLines, print_error_json};
pub use plain::PlainLines;
pub use plan::{print_plan, print_plan_summary, print_plan_warnings};
pub use printer::{Printer, Verbosity};
pub use report::{Task, print_refusal, print_report};
pub use rolls::{outcome_word, print_fleets, print_rolls, print_timeline};
pub use system::{
    PlannedChange, print_accepted, print_change, print_instances, print_instances_json,
    print_parameters, print_system, print_terminated, print_unchanged,
};
pub use table::Table;
pub use text::{ago, one_line, span};
