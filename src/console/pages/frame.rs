//! What is around every page.

use super::Visit;
use super::files;
use super::session::Visitor;

/// The frame of a page.
pub(super) struct Frame<'a> {
    pub(super) title: String,
    /// The name of whoever is signed in.
    pub(super) name: Option<&'a str>,
    /// Which part of the menu the page belongs to.
    pub(super) section: &'static str,
    /// After how many seconds a browser without script loads the page again.
    pub(super) again: Option<u32>,
    pub(super) style: &'static str,
    pub(super) htmx: &'static str,
    pub(super) script: &'static str,
    pub(super) icon: &'static str,
}

impl<'a> Frame<'a> {
    /// The frame of a page in no part of the menu.
    pub(super) fn of(visit: &'a Visit, title: impl Into<String>) -> Self {
        Self::for_visitor(visit.visitor.as_ref(), title)
    }

    /// The same for whoever that is.
    pub(super) fn for_visitor(visitor: Option<&'a Visitor>, title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            name: visitor.map(|visitor| visitor.caller.person.name.as_str()),
            section: "",
            again: None,
            style: files::STYLE.path,
            htmx: files::HTMX.path,
            script: files::SCRIPT.path,
            icon: files::ICON.path,
        }
    }

    /// Says which part of the menu the page belongs to.
    pub(super) fn within(mut self, section: &'static str) -> Self {
        self.section = section;
        self
    }

    /// Has the page loaded again after so many seconds where `is_live`.
    pub(super) fn live(mut self, is_live: bool, seconds: u32) -> Self {
        self.again = is_live.then_some(seconds);
        self
    }
}
