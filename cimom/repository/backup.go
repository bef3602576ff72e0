package repository

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// A backup is one file that fits every machine and release: backupHeader; then,
// compressed with gzip, each record as the length of its key, the key, the
// length of the record and the record, and at the end a zero and the number of
// records; then the SHA-256 of all that.
const backupHeader = "casement repository backup 1\n"

// Backup writes what is committed now into a file, which gets its name when it
// is whole; one of that name is replaced. Writers do not wait. It fails with
// ErrCriticalError where it meets a damaged record: salvage first.
func (r *Repository) Backup(ctx context.Context, path string) error {
	err := r.backup(ctx, path)
	if err == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	var e *cim.Error
	if errors.As(fromStore(store.Full(err)), &e) && e.Status != cim.ErrFailed {
		return e
	}
	return &cim.Error{Status: cim.ErrFailed, Operation: "Backup", Path: path, Detail: "the backup cannot be written", Err: err}
}

func (r *Repository) backup(ctx context.Context, path string) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".new-*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			f.Close()
			os.Remove(f.Name())
		}
	}()
	sum := sha256.New()
	buf := bufio.NewWriterSize(f, 1<<16)
	w := io.MultiWriter(buf, sum)
	err = r.store.View(ctx, func(tx *store.Tx) error { return writeBackup(ctx, w, tx) })
	if err != nil {
		return err
	}
	if _, err := buf.Write(sum.Sum(nil)); err != nil {
		return err
	}
	if err := buf.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func writeBackup(ctx context.Context, w io.Writer, tx *store.Tx) error {
	if _, err := io.WriteString(w, backupHeader); err != nil {
		return err
	}
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	var b []byte
	n := uint64(0)
	c := tx.Cursor(nil)
	for ok := c.Seek(nil); ok; ok = c.Next() {
		if _, err := content(c.Key(), c.Value()); err != nil {
			return damagedObject(c.Key(), err)
		}
		b = binary.AppendUvarint(b[:0], uint64(len(c.Key())))
		b = append(b, c.Key()...)
		b = binary.AppendUvarint(b, uint64(len(c.Value())))
		b = append(b, c.Value()...)
		if _, err := z.Write(b); err != nil {
			return err
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if c.Err() != nil {
		return c.Err()
	}
	if _, err := z.Write(binary.AppendUvarint([]byte{0}, n)); err != nil {
		return err
	}
	return z.Close()
}

// Restore puts what a backup holds in the place of everything, at once and
// durably; where it fails, everything stays. It fails with ErrInvalidStream for
// a file that is no backup or is damaged, and with ErrDatabaseVerMismatch for
// one that a newer release made.
func (r *Repository) Restore(ctx context.Context, path string) error {
	f, err := os.Open(path)
	if err != nil {
		status := cim.ErrFailed
		if errors.Is(err, fs.ErrNotExist) {
			status = cim.ErrNotFound
		}
		return &cim.Error{Status: status, Operation: "Restore", Path: path, Detail: "the backup cannot be opened", Err: err}
	}
	defer f.Close()
	if err := checkBackup(f); err != nil {
		return notBackup(path, err)
	}
	return fromStore(r.store.Replace(ctx, "", func(fresh *store.Store, _ store.Remains) error {
		w := writer{s: fresh}
		err := readBackup(bufio.NewReaderSize(f, 1<<16), func(key, record []byte) error { return w.put(ctx, key, record) })
		if err != nil {
			var e backupError
			if errors.As(err, &e) {
				return notBackup(path, err)
			}
			return err
		}
		return w.flush(ctx)
	}))
}

// backupError is what is wrong with a backup.
type backupError string

func (e backupError) Error() string { return string(e) }

const (
	errNotBackup   = backupError("it is no backup of a repository")
	errBackupSum   = backupError("its checksum is wrong")
	errBackupData  = backupError("its content makes no sense")
	errBackupNewer = backupError("a newer release made it")
)

func notBackup(path string, err error) error {
	status := cim.ErrInvalidStream
	if errors.Is(err, errBackupNewer) {
		status = cim.ErrDatabaseVerMismatch
	}
	return &cim.Error{Status: status, Operation: "Restore", Path: path, Detail: err.Error(), Err: err}
}

// checkBackup reads a backup to its end, compares the checksum and goes back to
// the beginning.
func checkBackup(f io.ReadSeeker) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	size -= sha256.Size
	if size < int64(len(backupHeader)) {
		return errNotBackup
	}
	sum := sha256.New()
	if _, err := io.CopyN(sum, f, size); err != nil {
		return err
	}
	want := make([]byte, sha256.Size)
	if _, err := io.ReadFull(f, want); err != nil {
		return err
	}
	if !bytes.Equal(want, sum.Sum(nil)) {
		return errBackupSum
	}
	_, err = f.Seek(0, io.SeekStart)
	return err
}

// readBackup gives put every record of a backup and checks each.
func readBackup(f *bufio.Reader, put func(key, record []byte) error) error {
	header := make([]byte, len(backupHeader))
	if _, err := io.ReadFull(f, header); err != nil {
		return errNotBackup
	}
	if string(header) != backupHeader {
		if n := len(backupHeader) - 2; string(header[:n]) == backupHeader[:n] {
			return errBackupNewer
		}
		return errNotBackup
	}
	z, err := gzip.NewReader(f)
	if err != nil {
		return errBackupData
	}
	z.Multistream(false)
	b := bufio.NewReader(z)
	var key, record bytes.Buffer
	for n := uint64(0); ; n++ {
		length, err := binary.ReadUvarint(b)
		if err != nil {
			return errBackupData
		}
		if length == 0 {
			if total, err := binary.ReadUvarint(b); err != nil || total != n {
				return errBackupData
			}
			break
		}
		if err := readPart(b, &key, length, store.MaxKey); err != nil {
			return err
		}
		if length, err = binary.ReadUvarint(b); err != nil {
			return errBackupData
		}
		if err := readPart(b, &record, length, maxRecord); err != nil {
			return err
		}
		if _, err := content(key.Bytes(), record.Bytes()); err != nil {
			return fmt.Errorf("%w: %w", errBackupData, err)
		}
		if err := put(key.Bytes(), record.Bytes()); err != nil {
			return err
		}
	}
	if _, err := b.ReadByte(); !errors.Is(err, io.EOF) { // reads the checksum of gzip too
		return errBackupData
	}
	return nil
}

// readPart reads length bytes into b, which grows as they come.
func readPart(r io.Reader, b *bytes.Buffer, length, limit uint64) error {
	b.Reset()
	if length > limit {
		return errBackupData
	}
	if _, err := io.CopyN(b, r, int64(length)); err != nil {
		return errBackupData
	}
	return nil
}
