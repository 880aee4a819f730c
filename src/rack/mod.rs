//! What a rack is: the narrow ports that the roll engine needs, in our own types.

mod api_key;
mod authorized_keys;
pub mod aws;
mod balancer;
mod change;
mod cluster;
mod command;
mod data_keys;
pub mod directory;
mod error;
mod far;
mod fleet;
mod gateway;
mod groups;
mod key;
mod ports;
mod progress;
mod quota;
mod refresh;
pub mod remote;
mod stack;
mod system;
#[cfg(test)]
pub(crate) mod testing;

pub use api_key::{ApiKeyAccess, ApiKeyHolder, ApiProbe, KeyFile};
pub use authorized_keys::{
    KeyAccess, KeyAnswer, KeyDeed, KeyProof, KeySwap, LinesSeen, PublicLine, SshdSaid, Through,
};
pub use balancer::{
    Balancers, HealthChecks, ServiceHealth, TargetCounts, TargetGroup, TargetGroups,
};
pub use change::{Change, ChangeProblem, Difference, check_change};
pub use cluster::{
    Cluster, ClusterDefinition, ClusterHost, ClusterService, ClusterTask, Hook, HostLoad, Launch,
    STOP_TIMEOUT_SECS,
};
pub use command::{CommandState, Commands, Invoked};
pub use data_keys::{DataKey, DataKeys};
pub use error::PortError;
pub use far::{FarRack, RackApi};
pub use fleet::{
    Group, Instance, KEY_TAG, LaunchTemplateRef, Member, ServiceDeployment, ServiceState,
    ServiceTask,
};
pub use gateway::{Duplex, Gateway, Pieces, Switched};
pub use groups::{GroupProblem, ParameterGroup};
pub use key::{KeyPair, KeyType, MintedKeyPair, PrivateKey};
pub use ports::{Fleet, KeyPairs, KeyStore, Rack, Services, Stacks};
pub use progress::{KeyBefore, Progress, Standing};
pub use quota::{Market, Quotas, RunningInstance, VcpuQuota};
pub use refresh::{Alarm, Alarms, InstanceRefresh, RefreshStatus, RefreshWish, Refreshes};
pub use stack::{
    EventPage, ResourceChange, Stack, StackEvent, StackParameter, StackResource, StackStatus,
    StatusClass, TemplateBody, UpdateAccepted, UpdateRequest,
};
pub use system::{System, SystemDescription, SystemInstance};
