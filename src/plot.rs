//! Plots of counts over time, as SVG without script: in a page, which has its style, or as a file
//! of their own.

use std::fmt::Write as _;

const WIDTH: i64 = 720;
const HEIGHT: i64 = 200;
const LEFT: i64 = 40;
const RIGHT: i64 = 12;
const TOP: i64 = 12;
const BOTTOM: i64 = 28;

/// The style of a plot that is in no page: on a dark and on a light ground.
const STYLE: &str = "<style>.grid{stroke:#8885}.floor{stroke:#c33;stroke-dasharray:5 4}\
.tick{fill:#888;font:12px system-ui,sans-serif}.line{fill:none;stroke-width:2.5;stroke:#888}\
.line.new{stroke:#2a7de1}.line.old{stroke:#8aa;stroke-width:1.5}</style>";

/// A count that stays as it is until the next point.
pub(crate) struct Series {
    /// What is counted.
    pub(crate) name: &'static str,
    /// A class of the style.
    pub(crate) class: &'static str,
    /// Times in ms, in order, and the count from then on.
    pub(crate) points: Vec<(i64, i64)>,
}

/// A plot.
pub(crate) struct Plot {
    /// What it shows, for whoever does not see it.
    pub(crate) told: String,
    pub(crate) series: Vec<Series>,
    /// A count that ought not to be gone below, and what it is.
    pub(crate) floor: Option<(i64, &'static str)>,
    /// The span of time that is shown, in ms.
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Its ends, in words.
    pub(crate) ends: (String, String),
}

impl Plot {
    /// Draws it.
    pub(crate) fn svg(&self) -> String {
        let counts = self.series.iter().flat_map(|series| &series.points);
        let most = counts.map(|(_, count)| *count).max().unwrap_or(0);
        let most = most.max(self.floor.map_or(0, |(floor, _)| floor)).max(1);
        let mut svg = format!(
            "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">",
            escaped(&self.told)
        );
        for count in ticks(most) {
            let y = self.y(count, most);
            let _ = write!(
                svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{count}</text>",
                WIDTH - RIGHT,
                LEFT - 6,
                y + 4
            );
        }
        if let Some((floor, name)) = self.floor {
            let y = self.y(floor, most);
            let above = y - 5;
            let label = if above < TOP { y + 14 } else { above };
            let _ = write!(
                svg,
                "<line class=\"floor\" x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\"/>\
                 <text class=\"tick\" x=\"{}\" y=\"{}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                WIDTH - RIGHT - 4,
                label,
                escaped(name)
            );
        }
        for series in &self.series {
            let _ = write!(
                svg,
                "<path class=\"line {}\" d=\"{}\"><title>{}</title></path>",
                series.class,
                self.path(&series.points, most),
                escaped(series.name)
            );
        }
        let bottom = HEIGHT - 8;
        let _ = write!(
            svg,
            "<text class=\"tick\" x=\"{LEFT}\" y=\"{bottom}\">{}</text>\
             <text class=\"tick\" x=\"{}\" y=\"{bottom}\" text-anchor=\"end\">{}</text>\
             </svg>",
            escaped(&self.ends.0),
            WIDTH - RIGHT,
            escaped(&self.ends.1)
        );
        svg
    }

    /// Draws it as a file that needs nothing else.
    pub(crate) fn file(&self) -> String {
        let root = "<svg xmlns=\"http://www.w3.org/2000/svg\" ";
        let svg = self.svg().replacen("<svg ", root, 1);
        let inner = svg.find('>').map_or(0, |end| end + 1);
        format!("{}{STYLE}{}\n", &svg[..inner], &svg[inner..])
    }

    fn path(&self, points: &[(i64, i64)], most: i64) -> String {
        let mut path = String::new();
        for (at, count) in points {
            let (x, y) = (self.x(*at), self.y(*count, most));
            let _ = match path.is_empty() {
                true => write!(path, "M{x} {y}"),
                false => write!(path, "H{x}V{y}"),
            };
        }
        if !path.is_empty() {
            let _ = write!(path, "H{}", self.x(self.to));
        }
        path
    }

    fn x(&self, at: i64) -> i64 {
        let whole = (self.to - self.from).max(1);
        let part = (at - self.from).clamp(0, whole);
        LEFT + (WIDTH - LEFT - RIGHT) * part / whole
    }

    fn y(&self, count: i64, most: i64) -> i64 {
        HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * count.clamp(0, most) / most
    }
}

/// Returns at most six round counts from 0 to `most`.
fn ticks(most: i64) -> Vec<i64> {
    let mut step = 1;
    let mut factors = [2, 5, 10].into_iter().cycle();
    let mut power = 1;
    while most / step > 5 {
        let factor = factors.next().unwrap_or(10);
        step = power * factor;
        if factor == 10 {
            power = step;
        }
    }
    (0..)
        .map(|n| n * step)
        .take_while(|tick| *tick <= most)
        .collect()
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_few_and_round() {
        assert_eq!(ticks(3), [0, 1, 2, 3]);
        assert_eq!(ticks(12), [0, 5, 10]);
        assert_eq!(ticks(40), [0, 10, 20, 30, 40]);
        assert_eq!(ticks(1000), [0, 200, 400, 600, 800, 1000]);
        assert_eq!(ticks(7_000_000).len(), 4);
    }

    #[test]
    fn a_count_stays_until_the_next_point() {
        let plot = Plot {
            told: "3 < 4 & \"more\"".to_owned(),
            series: vec![Series {
                name: "in service",
                class: "new",
                points: vec![(0, 4), (500, 2)],
            }],
            floor: Some((3, "minimum")),
            from: 0,
            to: 1000,
            ends: ("now".to_owned(), "later".to_owned()),
        };
        let svg = plot.svg();
        assert!(svg.contains("d=\"M40 12H374V92H708\""), "{svg}");
        assert!(svg.contains("aria-label=\"3 &lt; 4 &amp; &quot;more&quot;\""));
        assert!(
            svg.contains("class=\"floor\" x1=\"40\" x2=\"708\" y1=\"52\""),
            "{svg}"
        );
        let file = plot.file();
        assert!(file.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\""));
        assert!(
            file.contains("role=\"img\"") && file.contains("><style>"),
            "{file}"
        );
        assert!(file.ends_with("</svg>\n"), "{file}");
    }
}
