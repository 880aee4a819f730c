//! Signing in, with an account key or a name and a password, and out.

use askama::Template;
use axum::response::Response;
use http::StatusCode;
use http::header::SET_COOKIE;
use secrecy::SecretString;

use super::Visit;
use super::answer::{Wrong, page, see_other};
use super::frame::Frame;
use super::session;
use crate::console::people::Caller;
use crate::keys::Want;
use crate::store::{Audited, Role, StoreError};

/// How often a password of one name may be tried, in how many ms. Who has an account key is not
/// kept out by others who try: it has 256 bits, and need not be counted.
const TRIES: i64 = 10;
const IN: i64 = 10 * 60 * 1000;

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame<'a>,
    to: &'a str,
    name: &'a str,
    wrong: Option<&'a str>,
}

/// Returns the address of the page that signs somebody in and then shows `to`.
pub(super) fn address(to: &str) -> String {
    if to == "/" {
        return "/sign-in".to_owned();
    }
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", to);
    format!("/sign-in?{}", query.finish())
}

/// Shows the form.
pub(super) fn show(visit: &Visit) -> Result<Response, Wrong> {
    let to = local(visit.query.exactly("to"));
    if visit.visitor.is_some() {
        return Ok(see_other(to));
    }
    page(&SignIn {
        frame: Frame::of(visit, "Sign in"),
        to,
        name: "",
        wrong: None,
    })
}

/// Signs somebody in.
pub(super) async fn sign_in(visit: &Visit) -> Result<Response, Wrong> {
    let to = local(visit.form.exactly("to"));
    let caller = match visit.form.get("key") {
        Some(key) => visit.service().caller(&SecretString::from(key)).await?,
        None => by_password(visit).await?,
    };
    let caller = caller.filter(may_see_pages);
    let Some(caller) = caller else {
        let mut response = page(&SignIn {
            frame: Frame::of(visit, "Sign in"),
            to,
            name: visit.form.get("name").unwrap_or_default(),
            wrong: Some("That opens nothing here. Is it whole, and has it expired?"),
        })?;
        *response.status_mut() = StatusCode::FORBIDDEN;
        return Ok(response);
    };
    for membership in &caller.memberships {
        let (now, entropy) = (visit.service().now(), visit.service().entropy());
        let by = Audited::new(&membership.workspace, caller.actor(), now, entropy);
        let by = by.request(&visit.request);
        let told = format!("{} signed in", caller.person.name);
        let store = visit.service().store();
        store
            .note("person.sign_in", &told, &[&caller.person.id], by)
            .await?;
    }
    let before = visit.visitor.as_ref().map(|visitor| visitor.session);
    let cookie = session::begin(visit.service(), &caller, before, visit.is_encrypted).await?;
    let mut response = see_other(to);
    response.headers_mut().append(SET_COOKIE, cookie);
    Ok(response)
}

/// Tells whether somebody has a place where they may do more than deploy.
fn may_see_pages(caller: &Caller) -> bool {
    let mut roles = caller.memberships.iter().map(|membership| membership.role);
    roles.any(|role| role != Role::Deploy)
}

async fn by_password(visit: &Visit) -> Result<Option<Caller>, Wrong> {
    let store = visit.service().store();
    let name = visit.form.get("name").unwrap_or_default();
    let password = SecretString::from(visit.form.exactly("password"));
    count_try(visit, name)?;
    let person = match store.person_called(name).await {
        Ok(person) => Some(person),
        Err(StoreError::NotFound(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let kept = match &person {
        Some(person) => store.password_hash(&person.id).await?,
        None => None,
    };
    if !visit.pages.passwords.is(kept, password).await? {
        return Ok(None);
    }
    let Some(person) = person else {
        return Ok(None);
    };
    let found = store.person(&person.id).await?;
    Ok(found.map(|(person, memberships)| Caller {
        person,
        memberships,
        key: None,
    }))
}

/// Counts that a password of the person of that name is tried.
///
/// # Errors
/// When that was done too often lately.
pub(super) fn count_try(visit: &Visit, name: &str) -> Result<(), Wrong> {
    let window = format!("sign-in:{}", name.to_lowercase());
    let want = Want {
        window: &window,
        limit: TRIES,
        duration: IN,
        cost: 1,
    };
    let service = visit.service();
    let taken = service.windows().take(&[want], service.now());
    if taken.iter().any(|taken| taken.exceeded) {
        // What was typed for a name may be a secret.
        let told = "too many passwords were tried for one name";
        service.log(&format!("{}: {told}", visit.request));
        return Err(Wrong::TooOften);
    }
    Ok(())
}

/// Signs whoever is signed in out.
pub(super) async fn sign_out(visit: &Visit) -> Result<Response, Wrong> {
    if let Some(visitor) = &visit.visitor {
        visit.service().store().end_session(visitor.session).await?;
    }
    let mut response = see_other("/sign-in");
    session::forget(response.headers_mut());
    Ok(response)
}

/// Returns where to go afterwards: to a page of this server, or else to its first one.
fn local(to: &str) -> &str {
    let mut letters = to.chars();
    let is_path = letters.next() == Some('/');
    // `//host` and `/\host` are other hosts to a browser, and control characters are left out.
    let is_ours = letters
        .next()
        .is_none_or(|second| second != '/' && second != '\\');
    let is_plain = to.chars().all(|letter| !letter.is_control());
    if is_path && is_ours && is_plain {
        to
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        for to in ["/", "/rolls/1?a=b#c", "/audit?who=a//b"] {
            assert_eq!(local(to), to);
        }
        for to in [
            "",
            "rolls",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "/\t/evil.example",
            "\\\\evil.example",
            "/\n//evil.example",
        ] {
            assert_eq!(local(to), "/", "{to:?}");
        }
        assert_eq!(address("/rolls/1?a=b"), "/sign-in?to=%2Frolls%2F1%3Fa%3Db");
        assert_eq!(address("/"), "/sign-in");
    }
}
