#!/bin/sh
# A deploy step that changes the payloads of a collection: when it fails, or the check after it does, the collection
# is as it was before, verified, and this script ends with the step's own exit code.
set -eu

qsnap guard prod/products --yes --confirm prod/products --forget \
    --check 'curl --fail --silent --show-error https://shop.example/health' \
    -- ./migrate-payloads --collection products
