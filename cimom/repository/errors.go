package repository

import (
	"context"
	"errors"
	"fmt"

	"github.com/casementhq/casement/cim"
	"github.com/casementhq/casement/internal/store"
)

// Damaged is the code of a repository that is not consistent, in winmgmt and in
// logs: ERROR_INTERNAL_DB_CORRUPTION. See spec/wmi.md 1.5, row 43.
const Damaged = 1358

// Problem is one thing that is wrong with a repository.
type Problem struct {
	Object string // the namespace, class or instance; "" for the file itself
	Detail string
}

// String is the problem in a line, with its code.
func (p Problem) String() string {
	if p.Object == "" {
		return fmt.Sprintf("%d ERROR_INTERNAL_DB_CORRUPTION: %s", Damaged, p.Detail)
	}
	return fmt.Sprintf("%d ERROR_INTERNAL_DB_CORRUPTION: %s: %s", Damaged, p.Object, p.Detail)
}

// errDamaged marks what a record or the file makes fail.
var errDamaged = errors.New("1358 ERROR_INTERNAL_DB_CORRUPTION: the repository is damaged")

// IsDamaged tells whether an operation failed because it met damage.
func IsDamaged(err error) bool { return errors.Is(err, errDamaged) || errors.Is(err, store.ErrDamaged) }

const damagedDetail = "the repository is damaged here (1358 ERROR_INTERNAL_DB_CORRUPTION); verify and salvage it"

// damagedObject is the error for a record that does not check out.
func damagedObject(key []byte, why error) error {
	namespace, path := describe(key)
	return &cim.Error{Status: cim.ErrCriticalError, Namespace: namespace, Path: path, Detail: damagedDetail, Err: fmt.Errorf("%w: %w", errDamaged, why)}
}

// fromStore makes the errors of the store ours. *cim.Error and the errors of a
// context stay.
func fromStore(err error) error {
	var e *cim.Error
	switch {
	case err == nil, errors.As(err, &e), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.Is(err, store.ErrFull):
		return &cim.Error{Status: cim.ErrOutOfDiskSpace, Detail: "the repository has no space left; what was stored before stays", Err: err}
	case errors.Is(err, store.ErrDamaged):
		return &cim.Error{Status: cim.ErrCriticalError, Detail: damagedDetail, Err: err}
	case errors.Is(err, store.ErrClosed):
		return &cim.Error{Status: cim.ErrShuttingDown, Detail: "the repository is closed", Err: err}
	case errors.Is(err, store.ErrLocked):
		return &cim.Error{Status: cim.ErrNotAvailable, Detail: err.Error(), Err: err}
	}
	return &cim.Error{Status: cim.ErrFailed, Detail: "the repository cannot be used", Err: err}
}

func invalid(status cim.Status, class *cim.Class, detail string) error {
	return &cim.Error{Status: status, Namespace: class.Namespace, Path: class.Name, Detail: detail}
}
