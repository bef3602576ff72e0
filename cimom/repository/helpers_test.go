package repository

import "github.com/casementhq/casement/internal/store"

func countAll(n *int) func(*store.Tx) error {
	return func(tx *store.Tx) error {
		c := tx.Cursor(nil)
		for ok := c.Seek(nil); ok; ok = c.Next() {
			if c.Key()[0] != kindFormat {
				*n++
			}
		}
		return c.Err()
	}
}
