//! A visitor who asks for pages without a browser.

use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};

use crate::scene::TOKEN;

/// A client that follows no redirect.
pub(crate) fn client() -> Client {
    let client = Client::builder().redirect(redirect::Policy::none());
    client.build().unwrap()
}

/// A header of an answer; empty without one.
pub(crate) fn header(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value.map_or_else(String::new, |value| value.to_str().unwrap().to_owned())
}

/// A signed-in browser.
pub(crate) struct Visitor {
    client: Client,
    address: String,
    pub(crate) cookie: String,
    /// The token of its forms.
    pub(crate) csrf: String,
}

impl Visitor {
    /// Signs in as Ada.
    pub(crate) async fn sign_in(address: &str) -> Self {
        let client = client();
        let form = format!("by=Ada&token={TOKEN}");
        let sign_in = client.post(format!("{address}/ui/sign-in")).body(form);
        let answer = sign_in.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        let set = header(&answer, "set-cookie");
        assert!(
            set.contains("; HttpOnly") && set.contains("; SameSite=Strict"),
            "{set}"
        );
        let mut visitor = Self {
            client,
            address: address.to_owned(),
            cookie: set.split(';').next().unwrap().to_owned(),
            csrf: String::new(),
        };
        let page = visitor.page("").await;
        let field = page.split("name=\"csrf\" value=\"").nth(1).unwrap();
        field
            .split('"')
            .next()
            .unwrap()
            .clone_into(&mut visitor.csrf);
        visitor
    }

    /// A request for a page.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        let request = self.client.get(format!("{}{path}", self.address));
        request.header("cookie", &self.cookie)
    }

    /// A form that is sent; the browser's origin is the caller's matter.
    pub(crate) fn post(&self, path: &str, form: String) -> RequestBuilder {
        let request = self.client.post(format!("{}{path}", self.address));
        request.header("cookie", &self.cookie).body(form)
    }

    /// The status of a page.
    pub(crate) async fn status(&self, path: &str) -> StatusCode {
        self.get(path).send().await.unwrap().status()
    }

    /// The text of a page.
    pub(crate) async fn page(&self, path: &str) -> String {
        let answer = self.get(path).send().await.unwrap();
        answer.text().await.unwrap()
    }
}
