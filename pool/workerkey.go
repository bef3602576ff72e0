package pool

import (
	"crypto/sha256"
	"encoding/hex"
)

// workerKey is the key of a worker in the store: that of its own is too long.
func workerKey(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}
