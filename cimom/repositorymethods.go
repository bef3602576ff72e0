package cimom

import (
	"context"

	"github.com/casementhq/casement/cim"
)

// repositoryMethod runs a method of Casement_Repository.
func (p *systemProvider) repositoryMethod(ctx context.Context, r *Request, method string, in cim.Arguments) (cim.Result, error) {
	if cim.EqualFold(method, "Compile") {
		return p.compileMethod(ctx, r, in)
	}
	return cim.Result{}, cim.ErrMethodNotImplemented
}
