package repository

import (
	"errors"
	"hash/crc32"
)

// A record is its version, its content, and the CRC-32C of its key, its version
// and its content in four bytes, lowest first.
const (
	recordVersion = 1
	recordFrame   = 1 + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

var (
	errChecksum = errors.New("the checksum is wrong")
	errVersion  = errors.New("a newer release wrote it")
)

// begin starts a record in b; end finishes it.
func begin(b []byte) []byte { return append(b, recordVersion) }

func end(key, record []byte) []byte {
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record)
	return append(record, byte(sum), byte(sum>>8), byte(sum>>16), byte(sum>>24))
}

// content checks a record and returns what is in it.
func content(key, record []byte) ([]byte, error) {
	n := len(record) - 4
	if n < 1 {
		return nil, errChecksum
	}
	sum := crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, record[:n])
	s := record[n:]
	if sum != uint32(s[0])|uint32(s[1])<<8|uint32(s[2])<<16|uint32(s[3])<<24 {
		return nil, errChecksum
	}
	if record[0] != recordVersion {
		return nil, errVersion
	}
	return record[1:n], nil
}
