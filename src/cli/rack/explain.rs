//! `convox rack --explain`: say how a rack is reached, and where every setting came from.

use crate::cli::context::Context;
use crate::cli::reach::decide;
use crate::config::Setting;
use crate::ui::{CliError, Printer, Table};

/// Prints what is set, without asking anybody: it works where the rack cannot be reached.
pub(super) fn explain(
    context: &Context,
    rack: Option<&str>,
    as_json: bool,
) -> Result<(), CliError> {
    let decision = decide(context, rack)?;
    print(context.printer(), &decision.settings, as_json);
    Ok(())
}

fn print(printer: &Printer, settings: &[Setting], as_json: bool) {
    if as_json {
        for line in settings
            .iter()
            .filter_map(|setting| serde_json::to_string(setting).ok())
        {
            printer.data(&format!("{line}\n"));
        }
        return;
    }
    let mut table = Table::new(["SETTING", "VALUE", "FROM"]);
    for setting in settings {
        let name = setting.name.to_owned();
        table.row([name, setting.value.clone(), setting.source.clone()]);
    }
    printer.data(&table.render());
}
