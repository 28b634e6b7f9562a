// SPDX-License-Identifier: Apache-2.0
// avro.h - what Avro has beside the face of all formats: fingerprints. Pure.
#ifndef FORMAT_AVRO_AVRO_H
#define FORMAT_AVRO_AVRO_H

#include "format/program.h"

// avro_crc64 is CRC-64-AVRO, the specification's 64-bit Rabin fingerprint, of a text.
uint64_t avro_crc64(struct bytes text);
// avro_fingerprint is CRC-64-AVRO of a schema's Parsing Canonical Form.
enum err avro_fingerprint(const struct schema *schema, uint64_t *ret, struct error *e);

// avro_judges_alike tells whether the program's code and the walk that explains its faults come to the same
// verdict: for tests.
bool avro_judges_alike(const struct program *program, struct bytes payload);

#endif
