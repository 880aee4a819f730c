//! Which of a console's racks a name means.

use super::context::Context;
use super::reach::{Address, Place, console};
use crate::config::classic::Layout;
use crate::config::nearest;
use crate::rack::remote::RackListing;
use crate::ui::CliError;

/// Finds the one rack that is called `name`, else the only one that `is_alike`.
///
/// `others` are names that may have been meant too.
///
/// # Errors
/// In the classic's words, when it is none or several.
pub(super) fn find<'a>(
    name: &str,
    names: &'a [String],
    others: &[String],
    is_alike: impl Fn(&str) -> bool,
) -> Result<&'a str, CliError> {
    if let Some(exact) = names.iter().find(|known| *known == name) {
        return Ok(exact);
    }
    let alike: Vec<&str> = names.iter().map(String::as_str).collect();
    let alike: Vec<&str> = alike.into_iter().filter(|known| is_alike(known)).collect();
    match alike.as_slice() {
        [only] => Ok(only),
        [] => {
            let known: Vec<String> = names.iter().chain(others).cloned().collect();
            let near = nearest(name, &known);
            let hint = if near.is_empty() {
                "`convox racks` lists them".to_owned()
            } else {
                format!("did you mean {}?", near.join(" or "))
            };
            Err(CliError::failed(format!("could not find rack: {name}")).hint(hint))
        }
        several => {
            let error = CliError::failed(format!("ambiguous rack name: {name}"));
            Err(error.hint(format!("it is a part of {}", several.join(", "))))
        }
    }
}

/// Puts the organization before the name of a rack that was named without it.
///
/// Version 3 of the classic takes such names and asks the console which rack is meant; version
/// 2 sends them as they are, and so they are sent where its files are. A name counts here if all
/// of it is what follows the organization: a part of a name is too little to change a rack by.
///
/// # Errors
/// It is no rack's name, or several racks'; or the console does not answer.
pub(super) async fn complete(context: &Context, place: &mut Place) -> Result<(), CliError> {
    let Some(name) = short_name(place)? else {
        return Ok(());
    };
    let wanted = place.rack.take();
    let remote = console(context, place).await?;
    place.rack = match remote.racks().await {
        Ok(racks) => {
            let names: Vec<String> = racks.iter().map(RackListing::full_name).collect();
            let ends = format!("/{name}");
            let found = find(&name, &names, &[], |known| known.ends_with(&ends))?;
            Some(found.to_owned())
        }
        // A rack itself: it does not heed the name.
        Err(error) if error.status() == Some(404) => wanted,
        Err(error) => return Err(error.into()),
    };
    Ok(())
}

/// Returns the name of a rack of a console that may lack its organization.
fn short_name(place: &Place) -> Result<Option<String>, CliError> {
    let (Address::Host(host), Some(name), Some(classic)) =
        (&place.address, &place.rack, &place.classic)
    else {
        return Ok(None);
    };
    if classic.layout() != Layout::V3 || name.contains('/') {
        return Ok(None);
    }
    // What `switch` has written is whole.
    let switched = classic.rack_of(host)?;
    Ok((switched.is_none_or(|rack| rack.text != *name)).then(|| name.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, names: &[&str]) -> Result<String, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let ends = format!("/{name}");
        find(name, &names, &[], |known| known.ends_with(&ends))
            .map(str::to_owned)
            .map_err(|error| error.message().to_owned())
    }

    #[test]
    fn a_name_without_its_organization_is_one_rack_or_none() {
        let names = ["acme/dev", "acme/dev-eu", "acme/prod", "other/prod", "own"];
        assert_eq!(found("dev", &names).unwrap(), "acme/dev");
        assert_eq!(found("dev-eu", &names).unwrap(), "acme/dev-eu");
        assert_eq!(found("own", &names).unwrap(), "own");
        assert_eq!(
            found("prod", &names).unwrap_err(),
            "ambiguous rack name: prod"
        );
        assert_eq!(found("ev", &names).unwrap_err(), "could not find rack: ev");
        // One that is called so goes before those that only end so.
        assert_eq!(found("prod", &["acme/prod", "prod"]).unwrap(), "prod");
    }
}
