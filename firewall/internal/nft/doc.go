// Package nft puts rules about single ports into a table of nftables that is Casement's
// own. Other tables are neither read nor changed, and nothing is dropped by default.
package nft
