//! The APIs whose keys the key service keeps, of all organizations that somebody belongs to.

use askama::Template;
use axum::response::Response;

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::frame::Frame;
use super::rack::may_change;
use crate::keys::{Api, SecretFormat};
use crate::store::{Audited, NewApi};

#[derive(Template)]
#[template(path = "apis.html")]
struct ApisPage<'a> {
    frame: Frame<'a>,
    organizations: Vec<OrganizationApis<'a>>,
}

struct OrganizationApis<'a> {
    name: &'a str,
    apis: Vec<Api>,
    may_change: bool,
}

/// Shows them.
pub(super) async fn show(visit: &Visit) -> Result<Response, Wrong> {
    let mut organizations = Vec::new();
    for membership in &visit.visitor()?.caller.memberships {
        organizations.push(OrganizationApis {
            name: &membership.organization,
            apis: visit.service().store().apis(&membership.workspace).await?,
            may_change: may_change(membership.role),
        });
    }
    page(&ApisPage {
        frame: Frame::of(visit, "API keys").within("keys"),
        organizations,
    })
}

/// Makes one.
pub(super) async fn create(visit: &Visit, organization: &str) -> Result<Response, Wrong> {
    let membership = visit.membership(organization)?;
    if !may_change(membership.role) {
        return Err(Wrong::Forbidden);
    }
    let name = visit.form.get("name");
    let name = name.ok_or_else(|| Wrong::Bad("An API has a name.".to_owned()))?;
    let prefix = visit.form.get("prefix");
    SecretFormat::new(prefix, 16).map_err(|error| Wrong::Bad(error.to_string()))?;
    let new = NewApi {
        name: name.chars().take(255).collect(),
        default_prefix: prefix.map(str::to_owned),
        ..NewApi::default()
    };
    let by = audited(visit, &membership.workspace)?;
    let api = visit.service().store().create_api(new, by).await?;
    Ok(see_other(&address(organization, &api.id)))
}

/// Returns where the page of an API is.
pub(super) fn address(organization: &str, api: &str) -> String {
    format!("/keys/{}/{api}", super::form::encoded(organization))
}

/// Says who changes something in an organization.
///
/// # Errors
/// When nobody is signed in.
pub(super) fn audited(visit: &Visit, workspace: &str) -> Result<Audited, Wrong> {
    let actor = visit.visitor()?.caller.actor();
    let (now, entropy) = (visit.service().now(), visit.service().entropy());
    Ok(Audited::new(workspace, actor, now, entropy).request(&visit.request))
}
