//! Who may ask what of a rack.

use http::Method;

use crate::store::Role;

/// What follows `/apps/NAME/` in calls that deploy.
const DEPLOYING: [&str; 5] = ["builds", "environment", "objects", "processes", "releases"];

/// Tells whether somebody with this role may make a call to a rack.
///
/// Who may read sees everything but a shell, which changes whatever it is used for: of websockets
/// only logs. A deploy key may besides make what it takes to deploy an app, and nothing of the rack
/// itself.
pub(super) fn may(role: Role, method: &Method, path: &str, is_socket: bool) -> bool {
    let is_shell = path.ends_with("/shell") || path.ends_with("/exec");
    let is_seen = !is_shell && (!is_socket || path.ends_with("/logs"));
    let reads = (method == Method::GET || method == Method::HEAD) && is_seen;
    match role {
        Role::Admin | Role::Operator => true,
        Role::Read => reads,
        Role::Deploy => reads || deploys(path),
    }
}

fn deploys(path: &str) -> bool {
    let mut parts = path.split('/').skip(1);
    let is_of_app = parts.next() == Some("apps") && parts.next().is_some();
    is_of_app && parts.next().is_some_and(|part| DEPLOYING.contains(&part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_role_may_do_what_the_one_before_it_may() {
        let calls = [
            (Method::GET, "/system", "deploy"),
            (Method::GET, "/instances", "deploy"),
            (Method::POST, "/apps/web/releases/R1/promote", "deploy"),
            (Method::POST, "/apps/web/builds", "deploy"),
            (Method::DELETE, "/apps/web", "operator"),
            (Method::PUT, "/system", "operator"),
            (Method::POST, "/instances/keyroll", "operator"),
            (Method::DELETE, "/instances/i-0", "operator"),
            (Method::GET, "/instances/i-0/shell", "operator"),
        ];
        for (method, path, least) in calls {
            let allowed: Vec<_> = Role::ALL
                .into_iter()
                .filter(|role| may(*role, &method, path, false))
                .map(Role::as_str)
                .collect();
            let expected: &[&str] = match least {
                "deploy" if method == Method::GET => &["deploy", "read", "operator", "admin"],
                "deploy" => &["deploy", "operator", "admin"],
                _ => &["operator", "admin"],
            };
            assert_eq!(allowed, expected, "{method} {path}");
        }
    }

    #[test]
    fn of_websockets_only_logs_are_looked_at() {
        for (path, reader, deployer) in [
            ("/system/logs", true, true),
            ("/apps/web/logs", true, true),
            ("/instances/i-0/shell", false, false),
            ("/proxy/10.0.0.1/5432", false, false),
            ("/apps/web/processes/p/exec", false, true),
        ] {
            let opens = |role| may(role, &Method::GET, path, true);
            assert_eq!(opens(Role::Read), reader, "{path}");
            assert_eq!(opens(Role::Deploy), deployer, "{path}");
            assert!(opens(Role::Operator), "{path}");
        }
    }
}
