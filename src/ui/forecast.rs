//! How a forecast reads, and how it is drawn.

use std::time::Duration;

use super::colour::Colour;
use super::printer::Printer;
use super::table::Table;
use super::text::{count, one_line, span};
use crate::plot::{Plot, Series};
use crate::rehearse::{
    Advised, Band, Effects, Forecast, Lack, Quantiles, RolledBack, ServiceForecast,
};

/// How many columns the drawing on a terminal has.
const COLUMNS: usize = 60;
/// How many rows it has at the most.
const ROWS: u64 = 12;

/// Prints a forecast, and what changes of the rack would change, as data.
pub fn print_forecast(
    printer: &Printer,
    forecast: &Forecast,
    advice: Option<&(Effects, Vec<Advised>)>,
) {
    let colour = printer.data_colour();
    let heading = |text: &str| format!("\n{}\n", colour.strong(text));
    let runs = count(whole(forecast.runs), "rehearsal");
    let mut text = answer(forecast);
    text.push_str(&format!(
        "Rack {}, {runs}, seed {}\n",
        forecast.rack, forecast.seed
    ));
    text.push_str(&takes(forecast));
    text.push_str(&format!(
        "Instances beyond those of now: {:.2} instance-hours on average, {:.2} (p95)\n",
        forecast.surge.mean, forecast.surge.p95
    ));

    text.push_str(&heading("Services"));
    text.push_str(&services(forecast));

    text.push_str(&heading("Instances in service"));
    text.push_str(&drawing(&forecast.in_service.band));

    text.push_str(&heading("What would not end well"));
    text.push_str(&failures(forecast));

    if let Some((now, changes)) = advice {
        text.push_str(&heading("What would change it, by the same rehearsals"));
        text.push_str(&advised(now, changes, colour));
    }
    if !forecast.assumptions.is_empty() {
        text.push_str(&heading("Assumed"));
        for assumption in &forecast.assumptions {
            text.push_str(&format!("  {assumption}\n"));
        }
    }
    printer.data(&text);
}

/// Draws in-service instances over time as the text of an SVG file.
#[must_use]
pub fn forecast_svg(forecast: &Forecast) -> String {
    let band = &forecast.in_service.band;
    let series = |name, class, of: fn(&Band) -> u64| Series {
        name,
        class,
        points: band
            .iter()
            .map(|it| (signed(it.at) * 1000, signed(of(it))))
            .collect(),
    };
    let until = band.last().map_or(0, |band| band.at);
    let plot = Plot {
        told: format!(
            "Rack {}: instances in service over time, in {} rehearsals",
            forecast.rack, forecast.runs
        ),
        series: vec![
            series("one run in twenty has fewer", "old", |band| band.p5),
            series("one run in twenty has more", "old", |band| band.p95),
            series("the median", "new", |band| band.p50),
        ],
        floor: Some((signed(forecast.in_service.before), "before the roll")),
        from: 0,
        to: signed(until) * 1000,
        ends: (
            "the roll begins".to_owned(),
            format!("{} later", seconds(until)),
        ),
    };
    plot.file()
}

/// Says what is asked first: who goes down.
fn answer(forecast: &Forecast) -> String {
    let named =
        |heading: &str, does: fn(&ServiceForecast) -> bool, of: fn(&ServiceForecast) -> Lack| {
            let services = forecast.services.iter().filter(|service| does(service));
            let words = services.map(|service| {
                let (name, lack) = (&service.name, of(service));
                format!("{name} ({})", how_often(lack, forecast.runs))
            });
            let words: Vec<String> = words.collect();
            (!words.is_empty()).then(|| format!("{heading}: {}\n", words.join(", ")))
        };
    let down = named("Down", ServiceForecast::goes_down, |it| it.at_zero);
    let mut text = down.unwrap_or_else(|| match forecast.is_known {
        true => "Nobody goes down\n".to_owned(),
        false => "Nobody goes down in what is rehearsed; see what is assumed\n".to_owned(),
    });
    let below = named("Below their minimum", ServiceForecast::goes_below, |it| {
        it.below_minimum
    });
    text.push_str(&below.unwrap_or_default());
    text
}

/// Says how long a roll takes, by how it ends.
fn takes(forecast: &Forecast) -> String {
    let words = |it: Quantiles| format!("{} (p50), {} (p95)", seconds(it.p50), seconds(it.p95));
    let mut text = format!("A roll takes {}\n", words(forecast.duration));
    if forecast.durations.len() > 1 {
        for (outcome, duration) in &forecast.durations {
            let outcome = outcome.replace('_', " ");
            text.push_str(&format!("  that ends {outcome}: {}\n", words(*duration)));
        }
    }
    text
}

fn services(forecast: &Forecast) -> String {
    let mut table = Table::new(["SERVICE", "DESIRED", "MINIMUM", "BELOW MINIMUM", "AT ZERO"]);
    for service in &forecast.services {
        table.row([
            service.name.clone(),
            service.desired.to_string(),
            service.minimum.to_string(),
            lack(service.below_minimum, service, forecast.runs),
            lack(service.at_zero, service, forecast.runs),
        ]);
    }
    if table.is_empty() {
        return "none on the instances that roll\n".to_owned();
    }
    table.render()
}

fn lack(lack: Lack, service: &ServiceForecast, runs: u32) -> String {
    if lack.runs == 0 && !service.is_known {
        return "not known".to_owned();
    }
    let how_often = how_often(lack, runs);
    if lack.runs == 0 {
        return how_often;
    }
    let of = |secs: f64| span(Duration::from_secs_f64(secs.max(0.0)));
    format!(
        "{how_often}, for {} (p50), {} (p95)",
        of(lack.p50),
        of(lack.p95)
    )
}

/// Words how often something is, and as far as so many runs tell where that is never or always.
fn how_often(lack: Lack, runs: u32) -> String {
    match lack.runs {
        0 => format!("in none of {runs}: under {}", percent(lack.at_most)),
        all if all == runs => format!("in all of {runs}: over {}", percent(lack.at_least)),
        _ => percent(lack.chance),
    }
}

fn failures(forecast: &Forecast) -> String {
    if forecast.rolled_back.is_empty() {
        return "nothing\n".to_owned();
    }
    let line = |it: &RolledBack| {
        let part = f64::from(it.runs) / f64::from(forecast.runs.max(1));
        let how = super::rolls::outcome_word(it.outcome);
        format!("{} {how}: {}\n", percent(part), one_line(&it.reason))
    };
    forecast.rolled_back.iter().map(line).collect()
}

fn advised(now: &Effects, changes: &[Advised], colour: Colour) -> String {
    let mut table = Table::new([
        "CHANGE",
        "TAKES",
        "AT ZERO",
        "BELOW MINIMUM",
        "FAILS",
        "SURGE",
    ]);
    table.row(effects("as it is", now));
    for advised in changes {
        table.row(effects(&advised.change, &advised.effects));
    }
    let mut text = table.render();
    if changes.is_empty() {
        text.push_str(&format!(
            "{}\n",
            colour.faint("none of the changes tried betters anything")
        ));
    }
    text
}

fn effects(change: &str, effects: &Effects) -> [String; 6] {
    let chance = |chance: f64, services: u32| match services {
        0 => "never".to_owned(),
        services => format!("{}, {}", count(whole(services), "service"), percent(chance)),
    };
    [
        change.to_owned(),
        seconds(effects.duration_p50),
        chance(effects.at_zero, effects.services_at_zero),
        chance(effects.below_minimum, effects.services_below_minimum),
        percent(effects.fails),
        format!("{:.2} h", effects.surge_hours),
    ]
}

/// Draws the median as columns of blocks, and what one run in twenty has less in a lighter shade.
fn drawing(band: &[Band]) -> String {
    let most = band.iter().map(|it| it.p50).max().unwrap_or(0).max(1);
    let each = most.div_ceil(ROWS);
    let column = |number: usize| {
        let place = number * band.len().saturating_sub(1) / COLUMNS.saturating_sub(1).max(1);
        band.get(place)
    };
    let mut text = String::new();
    for row in (1..=most.div_ceil(each)).rev() {
        let level = row * each;
        text.push_str(&format!("{level:>5} "));
        let cell = |number| match column(number) {
            Some(band) if band.p5 + each > level => '█',
            Some(band) if band.p50 + each > level => '░',
            _ => ' ',
        };
        let line: String = (0..COLUMNS).map(cell).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    let end = seconds(band.last().map_or(0, |band| band.at));
    let room = COLUMNS.saturating_sub(1);
    text.push_str(&format!("      0{end:>room$}\n"));
    text
}

/// Words a part of a whole; what is not nothing never reads as nothing.
fn percent(part: f64) -> String {
    match part * 100.0 {
        percent if percent > 0.0 && percent < 1.0 => "under 1%".to_owned(),
        percent => format!("{percent:.0}%"),
    }
}

fn seconds(secs: u64) -> String {
    span(Duration::from_secs(secs))
}

fn whole(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_shows_the_median_and_what_may_be_less() {
        let moment = |at, p5, p50| Band {
            at,
            p5,
            p50,
            p95: p50,
        };
        let band = [moment(0, 2, 2), moment(60, 2, 3), moment(120, 2, 2)];
        let drawn = drawing(&band);
        let lines: Vec<&str> = drawn.lines().collect();
        assert_eq!(lines.len(), 4);
        assert!(
            lines[0].starts_with("    3 ") && lines[0].contains('░'),
            "{drawn}"
        );
        assert!(!lines[0].contains('█'), "{drawn}");
        assert_eq!(lines[1].matches('█').count(), COLUMNS);
        assert!(
            lines[3].starts_with("      0") && lines[3].ends_with("2m"),
            "{drawn}"
        );
    }

    #[test]
    fn a_small_chance_is_not_none() {
        assert_eq!(
            [0.0, 0.004, 0.5, 1.0].map(percent),
            ["0%", "under 1%", "50%", "100%"]
        );
    }
}
