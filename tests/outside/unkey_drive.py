"""Drives the key service with the client that Unkey publishes on PyPI.

    UNKEY_ROOT_KEY=... UNKEY_READER_KEY=... python tests/outside/unkey_drive.py ADDRESS

The second root key may read keys and nothing else.
Every answer is one that the client has types for, or the script ends with an error.
UNKEY_LIMITED_ADDRESS and UNKEY_LIMITED_KEY are of a server that answers two requests a day.
"""

import json
import os
import sys
import time

from unkey.py import Unkey, errors

address = sys.argv[1]


def client(root_key):
    return Unkey(root_key=root_key, server_url=address, timeout_ms=20_000)


unkey = client(os.environ["UNKEY_ROOT_KEY"])


def fails(kind, status, call):
    try:
        call()
    except kind as error:
        assert error.status_code == status, error
        return error
    raise AssertionError(f"no {kind.__name__}")


def code(key, **more):
    return unkey.keys.verify_key(key=key, **more).data.code.value


def pages(first):
    found = []
    while first is not None:
        found += first.result.data
        first = first.next()
    return found


# APIs.
api = unkey.apis.create_api(name="orders").data.api_id
assert api.startswith("api_"), api
assert unkey.apis.get_api(api_id=api).data.name == "orders"

# A key with everything.
made = unkey.keys.create_key(
    api_id=api,
    prefix="sk_live",
    name="Acme",
    external_id="acme-2",
    meta={"plan": "pro", "seats": [1, 2]},
    permissions=["orders.read", "orders.write"],
    credits={"remaining": 100, "refill": {"interval": "daily", "amount": 100}},
    ratelimits=[{"name": "requests", "limit": 50, "duration": 60_000, "auto_apply": True}],
).data
assert made.key.startswith("sk_live_"), made.key_id
shown = unkey.keys.get_key(key_id=made.key_id).data
assert shown.name == "Acme" and shown.meta == {"plan": "pro", "seats": [1, 2]}, shown
assert shown.credits.remaining == 100 and shown.credits.refill.amount == 100, shown
assert shown.identity.external_id == "acme-2", shown
assert shown.permissions == ["orders.read", "orders.write"], shown
assert unkey.keys.whoami(key=made.key).data.key_id == made.key_id

# Verifying it.
verified = unkey.keys.verify_key(
    key=made.key,
    permissions="orders.read AND (orders.write OR orders.delete)",
    credits={"cost": 2},
    ratelimits=[{"name": "requests"}],
    tags=["path=/orders"],
).data
assert verified.valid and verified.credits == 98, verified
assert verified.ratelimits[0].remaining == 49, verified
assert code(made.key, permissions="orders.delete") == "INSUFFICIENT_PERMISSIONS"
assert code(made.key, credits={"cost": 1000}) == "USAGE_EXCEEDED"
assert code("sk_live_nobody") == "NOT_FOUND"

# A key with nothing.
bare = unkey.keys.create_key(api_id=api).data
assert unkey.keys.get_key(key_id=bare.key_id).data.name is None

# Rerolls: at once, with a grace period of an hour, and with the expiry that there was.
second = unkey.keys.reroll_key(key_id=made.key_id, expiration=0).data
assert second.key.startswith("sk_live_")
assert code(made.key) == "EXPIRED" and code(second.key) == "VALID"
third = unkey.keys.reroll_key(key_id=second.key_id, expiration=3_600_000).data
assert code(second.key) == "VALID" and code(third.key) == "VALID"
ends = unkey.keys.get_key(key_id=second.key_id).data.expires
assert abs(ends - time.time() * 1000 - 3_600_000) < 60_000, ends
fourth = unkey.keys.reroll_key(key_id=third.key_id, expiration=None).data
assert code(third.key) == "VALID" and code(fourth.key) == "VALID"
assert unkey.keys.get_key(key_id=third.key_id).data.expires is None
try:
    unkey.keys.reroll_key(key_id=second.key_id, expiration=0)
    raise AssertionError("no conflict")
except errors.APIError as conflict:
    assert type(conflict) is errors.APIError and conflict.status_code == 409, conflict
    assert third.key_id in json.loads(conflict.body)["error"]["detail"], conflict.body

# Errors have types.
bad = fails(errors.BadRequestErrorResponse, 400, lambda: unkey.keys.get_key(key_id="a-b"))
assert bad.data.error.errors, bad
stranger = client("root_nobody")
fails(errors.UnauthorizedErrorResponse, 401, lambda: stranger.keys.get_key(key_id=made.key_id))
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.keys.get_key(key_id="key_nobody"))
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.apis.get_api(api_id="api_nobody"))

reader = client(os.environ["UNKEY_READER_KEY"]).keys
assert reader.get_key(key_id=fourth.key_id).data.key_id == fourth.key_id
forbidden = lambda: reader.reroll_key(key_id=fourth.key_id, expiration=0)
fails(errors.ForbiddenErrorResponse, 403, forbidden)

# What is not typed for an operation is an error with its status all the same.
try:
    unkey.keys.create_key(api_id=api, recoverable=True)
    raise AssertionError("a secret is kept")
except errors.APIError as refused:
    assert refused.status_code == 412, refused
    assert json.loads(refused.body)["error"]["type"].endswith("/precondition_failed"), refused.body
limited = Unkey(
    root_key=os.environ["UNKEY_LIMITED_KEY"], server_url=os.environ["UNKEY_LIMITED_ADDRESS"]
)
for _ in range(2):
    fails(errors.NotFoundErrorResponse, 404, lambda: limited.keys.get_key(key_id="key_nobody"))
many = lambda: limited.keys.get_key(key_id="key_nobody")
too_many = fails(errors.TooManyRequestsErrorResponse, 429, many)
assert too_many.data.error.title == "Too Many Requests", too_many

# Changing a key.
change = lambda **fields: unkey.keys.update_key(key_id=fourth.key_id, **fields)
change(name="Renamed", meta=None, enabled=False)
changed = unkey.keys.get_key(key_id=fourth.key_id).data
assert changed.name == "Renamed" and not changed.meta, changed
assert code(fourth.key) == "DISABLED"
change(enabled=True, name=None, credits={"remaining": 5}, ratelimits=[])
assert code(fourth.key) == "VALID"
credits = unkey.keys.update_credits(key_id=fourth.key_id, operation="set", value=7)
assert credits.data.remaining == 7, credits

# Lists.
ids = [key.key_id for key in pages(unkey.apis.list_keys(api_id=api, limit=2))]
assert bare.key_id in ids and fourth.key_id in ids, ids

# Identities.
external = f"globex-{time.time_ns()}"
identity = unkey.identities.create_identity(
    external_id=external,
    meta={"plan": "free"},
    ratelimits=[{"name": "requests", "limit": 10, "duration": 60_000, "auto_apply": True}],
)
again = lambda: unkey.identities.create_identity(external_id=external)
fails(errors.ConflictErrorResponse, 409, again)
found = unkey.identities.get_identity(identity=external)
assert found.data.id == identity.data.identity_id, found
changed = unkey.identities.update_identity(identity=external, meta={"plan": "pro"}, ratelimits=[])
assert changed.data.meta == {"plan": "pro"}, changed
listed = pages(unkey.identities.list_identities(limit=1))
assert any(one.id == identity.data.identity_id for one in listed)
unkey.identities.delete_identity(identity=external)
gone = lambda: unkey.identities.get_identity(identity=external)
fails(errors.NotFoundErrorResponse, 404, gone)

# Permissions and roles.
slug = f"reports.{time.time_ns()}"
name = f"reader-{slug}"
permission = unkey.permissions.create_permission(name=slug, slug=slug, description="to read reports")
role = unkey.permissions.create_role(name=name).data.role_id
again = lambda: unkey.permissions.create_permission(name=slug, slug=slug)
fails(errors.ConflictErrorResponse, 409, again)
got = unkey.permissions.get_permission(permission=slug).data
assert got.slug == slug and got.id == permission.data.permission_id, got
assert got.description == "to read reports", got
given = unkey.permissions.set_role_permissions(request={"role": role, "permissions": [slug]}).data
assert [one.slug for one in given] == [slug], given
got = unkey.permissions.get_role(role=role).data
assert got.id == role and got.name == name, got
assert [one.slug for one in got.permissions] == [slug], got
had = unkey.keys.add_roles(key_id=fourth.key_id, roles=[name]).data
assert [one.name for one in had] == [name], had
assert code(fourth.key, permissions=slug) == "VALID"
listed = pages(unkey.permissions.list_permissions(limit=10))
assert any(one.slug == slug for one in listed), listed
assert any(one.id == role for one in pages(unkey.permissions.list_roles(limit=10)))
unkey.permissions.delete_permission(permission=slug)
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.permissions.get_permission(permission=slug))
assert code(fourth.key, permissions=slug) == "INSUFFICIENT_PERMISSIONS"
unkey.permissions.delete_role(role=name)
fails(errors.NotFoundErrorResponse, 404, lambda: unkey.permissions.get_role(role=name))
added = unkey.keys.add_permissions(key_id=fourth.key_id, permissions=["orders.refund"]).data
assert any(one.slug == "orders.refund" for one in added), added
assert code(fourth.key, permissions="orders.refund") == "VALID"
unkey.keys.remove_permissions(key_id=fourth.key_id, permissions=["orders.refund"])
assert code(fourth.key, permissions="orders.refund") == "INSUFFICIENT_PERMISSIONS"
assert unkey.keys.set_permissions(key_id=fourth.key_id, permissions=[]).data == []
assert unkey.keys.set_roles(key_id=fourth.key_id, roles=[]).data == []

# Limits by themselves.
limit = lambda: unkey.ratelimit.limit(
    namespace="emails", identifier="acme", limit=1, duration=2_592_000_000
).data
assert limit().success and not limit().success

# Root keys.
root = unkey.root_keys.create_key(permissions=["api.*.read_api"], name="deploy").data
assert client(root.key).apis.get_api(api_id=api).data.id == api
rolled = unkey.root_keys.reroll_key(key_id=root.key_id, expiration=0).data
late = lambda: client(root.key).apis.get_api(api_id=api)
fails(errors.ForbiddenErrorResponse, 403, late)
kept = unkey.root_keys.reroll_key(key_id=rolled.key_id, expiration=None).data
for one in (rolled, kept):
    assert client(one.key).apis.get_api(api_id=api).data.id == api
listed = {one.key_id: one for one in pages(unkey.root_keys.list_keys(limit=2))}
assert listed[kept.key_id].name == "deploy", listed
assert listed[kept.key_id].permissions == ["api.*.read_api"], listed
unkey.root_keys.delete_key(key_id=kept.key_id)
gone = lambda: client(kept.key).apis.get_api(api_id=api)
fails(errors.UnauthorizedErrorResponse, 401, gone)

# How often keys were verified: counted a moment later.
query = f"SELECT outcome, SUM(count) AS n FROM key_verifications_per_month_v1 WHERE key_id = '{fourth.key_id}' GROUP BY outcome"
for _ in range(200):
    rows = unkey.analytics.get_verifications(query=query).data
    if any(row["outcome"] == "INSUFFICIENT_PERMISSIONS" and row["n"] >= 2 for row in rows):
        break
    time.sleep(0.05)
else:
    raise AssertionError(rows)
bad = lambda: unkey.analytics.get_verifications(query="SELECT * FROM keys")
fails(errors.BadRequestErrorResponse, 400, bad)

# The end.
unkey.keys.delete_key(key_id=fourth.key_id)
assert code(fourth.key) == "NOT_FOUND"
unkey.apis.delete_api(api_id=api)
assert code(bare.key) == "NOT_FOUND"
print("done")
