package pool

import (
	"crypto/sha256"
	"fmt"
)

// workerKey is the key of a worker in the store: that of its own is too long.
func workerKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return fmt.Sprintf("%x", sum[:16])
}
