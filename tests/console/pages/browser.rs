//! A browser as far as the server sees one: cookies, forms, and where they come from.

use std::sync::Mutex;

use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

use crate::environment::{Console, Person};

/// A page, as it came.
#[derive(Debug)]
pub struct Page {
    pub status: u16,
    pub body: String,
    /// Where else to look.
    pub location: Option<String>,
    /// What the browser is told to keep.
    pub cookies: Vec<String>,
    pub headers: reqwest::header::HeaderMap,
}

impl Page {
    /// Makes sure that the page is there, and has a text in it.
    #[track_caller]
    pub fn has(&self, text: &str) {
        assert_eq!(self.status, 200, "{}", self.body);
        assert!(self.body.contains(text), "no {text:?} in {}", self.body);
    }

    /// Returns what stands between two texts.
    #[track_caller]
    pub fn between(&self, before: &str, after: &str) -> &str {
        let (_, rest) = self.body.split_once(before).unwrap_or_else(|| {
            panic!("no {before:?} in {}", self.body);
        });
        rest.split_once(after).unwrap().0
    }

    /// Returns where the browser is sent.
    #[track_caller]
    pub fn leads_to(&self) -> &str {
        assert_eq!(self.status, 303, "{}", self.body);
        self.location.as_deref().unwrap()
    }
}

/// A browser.
pub struct Browser<'c> {
    pub console: &'c Console,
    client: reqwest::Client,
    cookie: Mutex<Option<String>>,
}

impl<'c> Browser<'c> {
    pub fn new(console: &'c Console) -> Self {
        let client = reqwest::Client::builder().no_proxy();
        let client = client.redirect(reqwest::redirect::Policy::none());
        Self {
            console,
            client: client.build().unwrap(),
            cookie: Mutex::default(),
        }
    }

    /// One in which somebody is signed in.
    pub async fn of(person: &Person<'c>) -> Self {
        let browser = Self::new(person.console);
        let page = browser.post("/sign-in", &[("key", &person.key)]).await;
        assert_eq!(page.leads_to(), "/");
        browser
    }

    /// Has the browser send this cookie, whatever it was told.
    pub fn set_cookie(&self, cookie: &str) {
        *self.cookie.lock().unwrap() = Some(cookie.to_owned());
    }

    /// Returns the cookie that it sends.
    pub fn cookie(&self) -> String {
        self.cookie.lock().unwrap().clone().unwrap_or_default()
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self
            .client
            .request(method, format!("{}{path}", self.console.address));
        match self.cookie.lock().unwrap().as_ref() {
            Some(cookie) => request.header(COOKIE, cookie),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Page {
        self.send(self.request(Method::GET, path)).await
    }

    /// Sends a form from one of the server's own pages.
    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Page {
        let request = self.request(Method::POST, path);
        let request = request.header(ORIGIN, &self.console.address);
        self.send(filled(request, form)).await
    }

    pub async fn send(&self, request: RequestBuilder) -> Page {
        let answer = request.send().await.unwrap();
        let headers = answer.headers().clone();
        let cookies = headers.get_all(SET_COOKIE).iter();
        let cookies: Vec<_> = cookies.map(|it| it.to_str().unwrap().to_owned()).collect();
        if let Some(set) = cookies.iter().find(|it| !it.contains("Max-Age=0")) {
            self.set_cookie(set.split(';').next().unwrap());
        }
        let location = headers.get(LOCATION);
        Page {
            status: answer.status().as_u16(),
            location: location.map(|it| it.to_str().unwrap().to_owned()),
            cookies,
            headers,
            body: answer.text().await.unwrap(),
        }
    }
}

/// Fills a form in.
pub fn filled(request: RequestBuilder, form: &[(&str, &str)]) -> RequestBuilder {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(form);
    request
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.finish())
}
