package console

import (
	"context"
	"encoding/json"
	"maps"
	"sync"

	"github.com/casementhq/casement/internal/store"
)

// Settings are what administrators choose for all.
type Settings struct {
	// Roles are the roles of groups, by name or SID.
	Roles map[string]string `json:"roles"`
	// Shell says who may have a shell: operators, administrators or nobody.
	Shell string `json:"shell" enum:"operators,administrators,nobody"`
	// HashCommands keeps the text of commands and queries out of the audit log;
	// their SHA-256 stands there.
	HashCommands bool `json:"hash_commands"`
	// AdministratorsAdd keeps adding servers and Manage as to administrators, as
	// Server Manager does.
	AdministratorsAdd bool `json:"administrators_add"`
}

// settingsKey is where they are in the store.
const settingsKey = "settings"

// settingsCache is the settings as they are now.
type settingsCache struct {
	mu sync.RWMutex
	s  Settings
}

func (c *settingsCache) get() Settings {
	c.mu.RLock()
	defer c.mu.RUnlock()
	s := c.s
	s.Roles = maps.Clone(s.Roles)
	return s
}

func (c *settingsCache) load(db *store.Store) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.s = Settings{Roles: defaultRoles(), Shell: "operators"}
	return db.View(context.Background(), func(tx *store.Tx) error {
		v, err := tx.Get([]byte(settingsKey))
		if err != nil || v == nil {
			return err
		}
		c.s.Roles = nil
		return json.Unmarshal(v, &c.s)
	})
}

func (c *settingsCache) save(ctx context.Context, db *store.Store, s Settings) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := putJSON(ctx, db, settingsKey, s); err != nil {
		return err
	}
	c.s = s
	return nil
}

// putJSON and getJSON keep documents in the store.
func putJSON(ctx context.Context, db *store.Store, key string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return db.Update(ctx, func(tx *store.Tx) error { return tx.Put([]byte(key), b) })
}

// getJSON tells whether there is one.
func getJSON(ctx context.Context, db *store.Store, key string, v any) (found bool, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		b, err := tx.Get([]byte(key))
		if err != nil || b == nil {
			return err
		}
		found = true
		return json.Unmarshal(b, v)
	})
	return found, err
}

// listJSON reads all documents below a prefix.
func listJSON[T any](ctx context.Context, db *store.Store, prefix string) (list []T, err error) {
	err = db.View(ctx, func(tx *store.Tx) error {
		cur := tx.Cursor([]byte(prefix))
		for ok := cur.Seek([]byte(prefix)); ok; ok = cur.Next() {
			var v T
			if err := json.Unmarshal(cur.Value(), &v); err != nil {
				return err
			}
			list = append(list, v)
		}
		return cur.Err()
	})
	return list, err
}
