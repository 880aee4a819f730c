//! CloudFormation templates: reading them, and evaluating what is in them.
