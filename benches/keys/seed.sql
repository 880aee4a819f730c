-- Keys as `keys.createKey` makes them, in bulk: two permissions and one limit each, which is high
-- enough that nobody meets it. Ids, secrets and hashes follow from a number, so that the load
-- generator knows them; ids are in no order. {count}: how many; {now}: Unix ms.

INSERT INTO apis (id, workspace_id, key_space_id, name, default_prefix, created_at)
  SELECT 'api_bench00000000000', id, 'ks_bench00000000000', 'bench', 'sk_live', {now}
  FROM workspaces;

INSERT INTO permissions (id, workspace_id, name, slug, created_at)
  SELECT 'perm_bench0000000read', id, 'documents.read', 'documents.read', {now}
  FROM workspaces
  UNION ALL
  SELECT 'perm_bench000000write', id, 'documents.write', 'documents.write', {now}
  FROM workspaces;

INSERT INTO keys (id, hash, start, workspace_id, api_id, name, prefix, bytes, created_at)
  WITH RECURSIVE numbers (n) AS (
    SELECT CAST(0 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < {count} - 1
  )
  SELECT
    'key_' || CAST(1000000000000000 + n * 7919 % {count} AS TEXT),
    sha256(convert_to('sk_live_000000' || CAST(1000000000000000 + n AS TEXT), 'UTF8')),
    'sk_live_0000', workspaces.id, 'api_bench00000000000',
    'customer ' || CAST(n AS TEXT), 'sk_live', 16, {now}
  FROM numbers CROSS JOIN workspaces;

INSERT INTO ratelimits (id, key_id, window_id, name, max_uses, duration, auto_apply)
  SELECT 'rl_' || substr(id, 5), id, 'rl_' || substr(id, 5), 'requests', 1000000000, 60000, 1
  FROM keys;

INSERT INTO keys_permissions (key_id, permission_id)
  SELECT keys.id, permissions.id FROM keys CROSS JOIN permissions;
