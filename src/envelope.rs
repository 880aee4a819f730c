//! The sealed form in which a classic rack keeps a setting.
