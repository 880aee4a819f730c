//! A change of a rack's parameters: what is asked, held against what there is.

use std::collections::BTreeMap;
use std::fmt;

use super::error::PortError;
use super::ports::Stacks;
use super::stack::{ResourceChange, Stack, UpdateAccepted, UpdateRequest};
use crate::template::{ParameterDeclaration, Template};

/// The parameter that no template has: the stack's tags, as a classic rack shows them.
pub(super) const TAGS: &str = "Tags";

/// Tags by which a rack is known as one; changing them would lose it.
const OWN_TAGS: [(&str, &str); 2] = [("System", "convox"), ("Type", "rack")];

/// What stands for a value that is not told.
const MASK: &str = "****";

/// Why a change of parameters is refused before anything is asked of the stack.
///
/// The texts of the classic CLI are kept where it has them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChangeProblem {
    /// Names that the rack does not have. The classic drops them without a word.
    #[error("the rack has no parameter {}", .names.join(", "))]
    Unknown {
        /// The names.
        names: Vec<String>,
        /// The names that it has.
        known: Vec<String>,
    },
    /// A value that was read back masked; written, it would become the value.
    #[error("{name}: `{MASK}` only stands for a value that is not shown")]
    Masked {
        /// The parameter.
        name: String,
    },
    /// The parameter is chosen when a rack is made.
    #[error("the HighAvailability parameter is only supported during rack installation")]
    OnlyAtInstall,
    /// A schedule has two ends.
    #[error(
        "to configure ScheduleAction you need both ScheduleRackScaleDown and ScheduleRackScaleUp \
         parameters"
    )]
    HalfASchedule,
    /// Logs would be sent nowhere.
    #[error("LogDriver=Syslog needs a SyslogDestination")]
    NoSyslogDestination,
    /// The template does not allow the value.
    #[error("{problem}")]
    Constraint {
        /// The parameter and the rule that the value breaks.
        problem: String,
        /// The only values allowed, where they are listed.
        allowed: Vec<String>,
    },
    /// The tags cannot be read, or are not the operator's to change.
    #[error("Tags: {0}")]
    Tags(String),
}

/// Checks what can be checked without a template: `wanted` against the parameters that are.
///
/// # Errors
/// The first problem: unknown names before values.
pub fn check_change(
    wanted: &BTreeMap<String, String>,
    now: &BTreeMap<String, String>,
) -> Result<(), ChangeProblem> {
    let unknown: Vec<String> = wanted
        .keys()
        .filter(|key| !now.contains_key(*key))
        .cloned()
        .collect();
    if !unknown.is_empty() {
        return Err(ChangeProblem::Unknown {
            names: unknown,
            known: now.keys().cloned().collect(),
        });
    }
    for (name, value) in wanted {
        if value.len() >= MASK.len() && value.bytes().all(|letter| letter == b'*') {
            return Err(ChangeProblem::Masked { name: name.clone() });
        }
    }
    if wanted.contains_key("HighAvailability") {
        return Err(ChangeProblem::OnlyAtInstall);
    }
    let will_be = |key: &str| wanted.get(key).or_else(|| now.get(key));
    let blank = |key: &str| will_be(key).is_none_or(String::is_empty);
    let touches = |keys: [&str; 2]| keys.iter().any(|key| wanted.contains_key(*key));
    let (down, up) = ("ScheduleRackScaleDown", "ScheduleRackScaleUp");
    if touches([down, up]) && blank(down) != blank(up) {
        return Err(ChangeProblem::HalfASchedule);
    }
    let (driver, destination) = ("LogDriver", "SyslogDestination");
    let is_syslog = will_be(driver).is_some_and(|driver| driver == "Syslog");
    if touches([driver, destination]) && is_syslog && blank(destination) {
        return Err(ChangeProblem::NoSyslogDestination);
    }
    Ok(())
}

/// What one parameter is, and what it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The parameter.
    pub key: String,
    /// The value it has; `****` for a secret one.
    pub from: String,
    /// The value it is to have; `****` for a secret one.
    pub to: String,
}

impl Difference {
    /// Tells whether the values are secret, and so not told.
    #[must_use]
    pub fn is_secret(&self) -> bool {
        // Nobody can set a value that reads like the mask.
        self.to == MASK
    }

    /// Compares what is wanted with what a rack says of itself, where there is no template to ask.
    #[must_use]
    pub fn all(wanted: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> Vec<Self> {
        let differs = wanted.iter().filter_map(|(key, to)| {
            let from = now.get(key).map_or("", String::as_str);
            // A value that is not told may be any.
            let secret = key == "Password" || from == MASK;
            let to = if secret { MASK } else { to };
            (secret || from != to).then(|| Self {
                key: key.clone(),
                from: from.to_owned(),
                to: to.to_owned(),
            })
        });
        differs.collect()
    }
}

/// A change of a stack's parameters, all of them in one update.
#[derive(Clone)]
pub struct Change {
    stack: Stack,
    request: UpdateRequest,
    differences: Vec<Difference>,
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The request holds the values themselves.
        f.debug_struct("Change")
            .field("stack", &self.stack.name)
            .field("differences", &self.differences)
            .finish_non_exhaustive()
    }
}

impl Change {
    /// Looks at the stack and works out the update; nothing is changed.
    ///
    /// `token` names the update: its events carry it, and repeating the call with it is safe.
    ///
    /// # Errors
    /// [`PortError::Change`] when the stack cannot be changed that way, [`PortError::NoChanges`]
    /// when it is so already, [`PortError::Busy`] while another operation is under way, and
    /// whatever reading the stack ends in.
    pub async fn prepare(
        stacks: &dyn Stacks,
        stack: &str,
        token: &str,
        wanted: &BTreeMap<String, String>,
    ) -> Result<Self, PortError> {
        let stack = stacks.describe(stack).await?;
        check_change(wanted, &shown_parameters(&stack))?;
        let declared = declared(stacks, &stack).await?;
        for (key, value) in wanted {
            if let Some(declaration) = declared.get(key) {
                meets(declaration, value)?;
            }
        }
        let mut request = UpdateRequest::keeping(&stack, token, wanted.clone());
        let before = request.tags.clone();
        if stack.parameter(TAGS).is_none()
            && let Some(tags) = request.set.remove(TAGS)
        {
            add_tags(&mut request.tags, &tags)?;
        }
        let mut differences = differences(&stack, &request, &declared);
        if request.tags != before {
            differences.push(Difference {
                key: TAGS.to_owned(),
                from: tags_text(&before),
                to: tags_text(&request.tags),
            });
        }
        // What is looked up in the Parameter Store may differ although its name does not.
        let looked_up = |key: &String| declared.get(key).is_some_and(ParameterDeclaration::is_ssm);
        let is_looked_up = request.set.keys().any(looked_up);
        if differences.is_empty() && !is_looked_up {
            return Err(PortError::NoChanges);
        }
        if stack.status.is_busy() {
            return Err(busy(&stack));
        }
        Ok(Self {
            stack,
            request,
            differences,
        })
    }

    /// Returns the stack as it was when the change was prepared.
    #[must_use]
    pub fn stack(&self) -> &Stack {
        &self.stack
    }

    /// Returns what will be different, by name; values that are secret are masked.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// Asks a change set what the update would touch, as [`Stacks::preview`] does.
    ///
    /// # Errors
    /// As the port.
    pub async fn preview(
        &self,
        stacks: &dyn Stacks,
    ) -> Result<Option<Vec<ResourceChange>>, PortError> {
        stacks.preview(&self.request).await
    }

    /// Starts the update.
    ///
    /// # Errors
    /// [`PortError::Busy`] when another operation came first, else as the port.
    pub async fn submit(&self, stacks: &dyn Stacks) -> Result<UpdateAccepted, PortError> {
        let refused = match stacks.update(&self.request).await {
            Err(refused @ PortError::Rejected { .. }) => refused,
            answer => return answer,
        };
        // CloudFormation has no code of its own for a stack that is busy.
        match stacks.describe(&self.stack.id).await {
            Ok(stack) if stack.status.is_busy() => Err(busy(&stack)),
            _ => Err(refused),
        }
    }
}

/// Returns the parameters of a stack as operators see them: tags included, secrets masked.
#[must_use]
pub(super) fn shown_parameters(stack: &Stack) -> BTreeMap<String, String> {
    let mut shown = BTreeMap::from([(TAGS.to_owned(), tags_text(&stack.tags))]);
    for parameter in &stack.parameters {
        let value = masked(&parameter.key, &parameter.value);
        shown.insert(parameter.key.clone(), value.to_owned());
    }
    shown
}

/// Writes tags as a classic rack shows them.
fn tags_text(tags: &BTreeMap<String, String>) -> String {
    let pairs = tags.iter().map(|(key, value)| format!("{key}={value}"));
    pairs.collect::<Vec<_>>().join(",")
}

/// Masks the one parameter that every rack keeps secret, for accounts that do not do it.
pub(super) fn masked<'a>(key: &str, value: &'a str) -> &'a str {
    if key == "Password" && !value.is_empty() {
        MASK
    } else {
        value
    }
}

fn busy(stack: &Stack) -> PortError {
    PortError::Busy {
        what: format!("stack {}", stack.name),
        status: stack.status.to_string(),
    }
}

/// Reads what the template declares. One that may not be read is left to AWS to enforce.
async fn declared(
    stacks: &dyn Stacks,
    stack: &Stack,
) -> Result<BTreeMap<String, ParameterDeclaration>, PortError> {
    match stacks.template(&stack.id).await {
        Ok(body) => Ok(Template::from_value(body.0)
            .map(|template| template.parameters())
            .unwrap_or_default()),
        Err(PortError::Denied { .. } | PortError::Rejected { .. }) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

fn meets(declaration: &ParameterDeclaration, value: &str) -> Result<(), ChangeProblem> {
    let problem = match declaration.check(value) {
        Ok(()) => return Ok(()),
        Err(problem) => problem.to_string(),
    };
    let allowed = declaration.allowed_values.clone();
    Err(ChangeProblem::Constraint { problem, allowed })
}

/// Lays `text` (`k=v,k=v`) over the tags that are there, as a classic rack does.
fn add_tags(tags: &mut BTreeMap<String, String>, text: &str) -> Result<(), ChangeProblem> {
    for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
        let problem = |what: &str| Err(ChangeProblem::Tags(format!("`{pair}` {what}")));
        let Some((key, value)) = pair.split_once('=') else {
            return problem("is not key=value");
        };
        let (key, value) = (key.trim(), value.trim());
        if key.is_empty() || key.starts_with("aws:") {
            return problem("is no tag that can be set");
        }
        if OWN_TAGS.iter().any(|(own, is)| *own == key && *is != value) {
            return problem("would make the rack unknown as one");
        }
        tags.insert(key.to_owned(), value.to_owned());
    }
    Ok(())
}

fn differences(
    stack: &Stack,
    request: &UpdateRequest,
    declared: &BTreeMap<String, ParameterDeclaration>,
) -> Vec<Difference> {
    let mut found = Vec::new();
    for (key, to) in &request.set {
        let from = stack.parameter(key).unwrap_or_default();
        let secret = key == "Password" || declared.get(key).is_some_and(|d| d.no_echo);
        if secret {
            found.push((key, MASK, MASK));
        } else if from != to {
            found.push((key, from, to));
        }
    }
    found
        .into_iter()
        .map(|(key, from, to)| Difference {
            key: key.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
        pairs.iter().map(owned).collect()
    }

    fn checked(wanted: &[(&str, &str)]) -> Result<(), ChangeProblem> {
        let now = map(&[
            ("Autoscale", "Yes"),
            ("HighAvailability", "true"),
            ("InstanceType", "t3.small"),
            ("LogDriver", "CloudWatch"),
            ("Password", "****"),
            ("ScheduleRackScaleDown", ""),
            ("ScheduleRackScaleUp", ""),
            ("SyslogDestination", ""),
        ]);
        check_change(&map(wanted), &now)
    }

    #[test]
    fn unknown_names_are_refused_all_at_once() {
        let problem = checked(&[("InstanceTyp", "x"), ("Autoscale", "No"), ("Bogus", "")]);
        let Err(ChangeProblem::Unknown { names, known }) = problem else {
            panic!("{problem:?}");
        };
        assert_eq!(names, ["Bogus", "InstanceTyp"]);
        assert!(known.contains(&"InstanceType".to_owned()));
    }

    #[test]
    fn what_was_read_back_masked_is_never_written() {
        for value in ["****", "**********"] {
            let name = "Password".to_owned();
            assert_eq!(
                checked(&[("Password", value)]),
                Err(ChangeProblem::Masked { name })
            );
        }
        assert_eq!(checked(&[("InstanceType", "*")]), Ok(()));
    }

    #[test]
    fn a_schedule_has_two_ends_and_logs_a_destination() {
        let (down, up) = ("ScheduleRackScaleDown", "ScheduleRackScaleUp");
        assert_eq!(
            checked(&[(down, "0 20 * * *")]),
            Err(ChangeProblem::HalfASchedule)
        );
        assert_eq!(checked(&[(down, "0 20 * * *"), (up, "0 6 * * *")]), Ok(()));
        assert_eq!(checked(&[(down, ""), (up, "")]), Ok(()));
        assert_eq!(
            checked(&[("LogDriver", "Syslog")]),
            Err(ChangeProblem::NoSyslogDestination)
        );
        let both = [
            ("LogDriver", "Syslog"),
            ("SyslogDestination", "tcp+tls://l:1"),
        ];
        assert_eq!(checked(&both), Ok(()));
        assert_eq!(
            checked(&[("HighAvailability", "true")]),
            Err(ChangeProblem::OnlyAtInstall)
        );
    }

    #[test]
    fn tags_are_laid_over_and_the_racks_own_stay() {
        let mut tags = map(&[("System", "convox"), ("Type", "rack"), ("Team", "a")]);
        add_tags(&mut tags, "Team=b,Cost=1=2,System=convox").unwrap();
        let expected = [
            ("Cost", "1=2"),
            ("System", "convox"),
            ("Team", "b"),
            ("Type", "rack"),
        ];
        assert_eq!(tags, map(&expected));
        for wrong in ["Team", "=x", "System=other", "aws:x=y"] {
            assert!(add_tags(&mut tags, wrong).is_err(), "{wrong}");
        }
    }
}
