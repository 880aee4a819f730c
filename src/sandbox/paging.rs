//! Pages of a list, told apart by the key of the last item that was sent.
//!
//! Such a token stays good when items come and go between two pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text is no token of ours.
#[derive(Debug, thiserror::Error)]
#[error("not a pagination token")]
pub(crate) struct BadToken;

/// One page, and the token of the next if there is one.
pub(crate) struct Page<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// Where the next page starts.
    pub(crate) next: Option<String>,
}

/// Cuts a page of at most `size` items out of a list that is sorted by `key`.
///
/// # Errors
/// When the token is none that this function made.
pub(crate) fn page<T>(
    list: impl IntoIterator<Item = T>,
    key: impl Fn(&T) -> String,
    size: usize,
    token: Option<&str>,
) -> Result<Page<T>, BadToken> {
    let after = match token {
        Some(token) => {
            let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| BadToken)?;
            Some(String::from_utf8(bytes).map_err(|_| BadToken)?)
        }
        None => None,
    };
    let mut rest = list
        .into_iter()
        .skip_while(|item| after.as_ref().is_some_and(|after| key(item) <= *after))
        .peekable();
    let items: Vec<T> = rest.by_ref().take(size.max(1)).collect();
    let next = match (rest.peek(), items.last()) {
        (Some(_), Some(last)) => Some(URL_SAFE_NO_PAD.encode(key(last))),
        _ => None,
    };
    Ok(Page { items, next })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_cover_the_list_once_even_when_it_changes() {
        let mut list: Vec<String> = (0..10).map(|n| format!("i-{n}")).collect();
        let first = page(&list, |id| (*id).clone(), 4, None).unwrap();
        assert_eq!(first.items, ["i-0", "i-1", "i-2", "i-3"]);
        let token = first.next.unwrap();
        list.retain(|id| id != "i-3");
        let second = page(&list, |id| (*id).clone(), 4, Some(&token)).unwrap();
        assert_eq!(second.items, ["i-4", "i-5", "i-6", "i-7"]);
        let last = page(&list, |id| (*id).clone(), 4, second.next.as_deref()).unwrap();
        assert_eq!((last.items.len(), last.next), (2, None));
        assert!(page(&list, |id| (*id).clone(), 4, Some("??")).is_err());
    }
}
