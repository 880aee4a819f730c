//! AWS's wire protocols: from an HTTP request to a call, and from an answer to a response.
