//! The live server of Plane is asked below the wrong path.

use crate::diagnosis::finding::{Blame, Finding};
use crate::diagnosis::rule::{Check, Rule, Severity};
use crate::diagnosis::view::{LegView, RouteView};

/// The live server of Plane is asked below the wrong path.
pub(super) static RULE: Rule = Rule {
    name: "plane-live-path",
    code: "WS805",
    severity: Severity::Error,
    summary: "Plane's editor asks for its live server below a path where something else answers",
    page: "\
## What it sees

An upgrade request for `.../collaboration` with a document of Plane in its query (`documentType`), or for
`/live/collaboration`, that is answered with a web page, or with 404 or 405, in a request that asks for the upgrade as
it should.

## Why it breaks

Plane's live server serves `/live/collaboration` (`LIVE_BASE_PATH`, `/live` unless set). The web application asks below
`VITE_LIVE_BASE_PATH`, which is empty unless it was set when it was built: `/collaboration` then reaches the web server,
which answers every path with its page. Pages are saved, and do not sync between browsers.

## How to mend it

Set both to the same path, `/live`, and build the web application with it. Let the proxy send `/live/` to the live
server (port 3000) before the rule for everything else; Plane's own Caddy does. If another proxy stands before it, that
one has to pass the upgrade on: the finding says so where it does not.
",
    see: "https://developers.plane.so/self-hosting/govern/environment-variables",
    explains: &[
        "html-instead-of-101",
        "route-missing",
        "refused-by-upstream",
        "refused-by-proxy",
        "path-rewritten",
        "host-rewritten",
    ],
    check: Check::Route(check),
};

fn check(route: &RouteView<'_>) -> Option<Finding> {
    let leg = &route.first;
    let path = leg.path().trim_end_matches('/');
    let is_plane = path.ends_with("/live/collaboration")
        || (path.ends_with("/collaboration") && leg.target().contains("documentType="));
    let is_page = leg.status() == Some(200)
        && leg.answered_text("content-type").is_some_and(|kind| kind.starts_with("text/html"));
    let is_elsewhere = is_page || matches!(leg.status(), Some(404 | 405));
    // What a proxy takes out of the request is another fault.
    let is_asked_well = route.legs().all(is_upgrade);
    if !(is_plane && is_elsewhere && is_asked_well) {
        return None;
    }
    let is_below_live = path.ends_with("/live/collaboration");
    let answered = if is_page { "a web page".to_owned() } else { leg.status()?.to_string() };
    let (who, headline) = if is_below_live {
        (route.answerer(leg), "does not send /live/collaboration to Plane's live server")
    } else {
        (
            Blame::Client(leg.connection.endpoint(crate::protocol::Role::Client).address),
            "asks for Plane's live server below the wrong path",
        )
    };
    let asked = route.quote(path.as_bytes());
    let finding = Finding::new(&RULE, who, headline)
        .saying(format!("The editor asks for {asked} and gets {answered}."))
        .shown_by(route.packets());
    Some(if is_below_live {
        finding.advising(
            "Let the proxy send /live/ to the live server (port 3000) before the rule for everything else.",
        )
    } else {
        finding.advising(
            "The live server answers below /live (LIVE_BASE_PATH): build the web application with \
             VITE_LIVE_BASE_PATH=/live, and let the proxy send /live/ to the live server.",
        )
    })
}

fn is_upgrade(leg: &LegView<'_>) -> bool {
    use crate::protocol::RequestProblem as Problem;
    ![Problem::UpgradeMissing, Problem::ConnectionTokenMissing, Problem::HttpVersionTooLow]
        .into_iter()
        .any(|problem| leg.asks_with(problem))
}

#[cfg(test)]
mod tests {
    use crate::diagnosis::testing::*;

    fn attempt(target: &str, status: &str, kind: &str) -> Script {
        let mut script = Script::default();
        let mut client = script.connect(CLIENT, PROXY);
        script.say(&mut client, From::Client, request_with(&[("GET", target)]));
        script.say(&mut client, From::Server, answer(status, &[("Content-Type", kind)], "<!doctype html>"));
        script
    }

    #[test]
    fn the_wrong_path_is_told() {
        let script = attempt("/collaboration?documentType=project_page", "200 OK", "text/html");
        assert_eq!(
            script.leading(),
            "error plane-live-path: the client 10.77.1.2 asks for Plane's live server below the wrong path"
        );
        assert_eq!(script.rules(), ["plane-live-path"]);
        let script = attempt("/live/collaboration", "404 Not Found", "text/html");
        assert!(script.leading().ends_with("does not send /live/collaboration to Plane's live server"));
    }

    #[test]
    fn other_answers_and_other_paths_are_not() {
        assert!(
            attempt("/live/collaboration", "502 Bad Gateway", "text/html")
                .finding("plane-live-path")
                .is_none()
        );
        assert!(attempt("/collaboration", "200 OK", "text/html").finding("plane-live-path").is_none());
    }
}
