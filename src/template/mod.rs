//! CloudFormation templates: reading them, and evaluating what is in them.
//!
//! Nothing here talks to an account. [`Template`] is a template in long form,
//! [`Evaluator`] works out conditions and properties from parameters and from
//! whatever a [`Lookup`] knows of resources. With a lookup that knows nothing
//! it serves a preflight; with a simulated account's it serves that account.

mod evaluate;
mod functions;
mod parameter;
mod references;
mod text;

pub use evaluate::{EvaluatedResource, Evaluator, Lookup, Nothing, Pseudo};
pub use parameter::{ParameterDeclaration, ParameterProblem, resolve};
pub use text::Template;

/// Why a template cannot be read or evaluated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is neither JSON nor YAML; the reason has the line and the column.
    #[error("the template is not well-formed: {0}")]
    Syntax(String),
    /// It is JSON or YAML, but no template.
    #[error("the template is not a template: {0}")]
    Shape(String),
    /// A name that the template does not define.
    #[error("unresolved {what} `{name}`")]
    Unresolved {
        /// What sort of name: a condition, a resource, a mapping.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// An intrinsic function was given what it cannot work with.
    #[error("{function}: {problem}")]
    Function {
        /// Its name, such as `Fn::Select`.
        function: String,
        /// What is wrong.
        problem: String,
    },
}

impl TemplateError {
    fn function(function: &str, problem: impl Into<String>) -> Self {
        Self::Function {
            function: function.to_owned(),
            problem: problem.into(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
