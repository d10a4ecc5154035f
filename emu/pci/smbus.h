/*
 * smbus.h: the SMBus: its host controller as it is in the PIIX4, the bus, and who answers on it.
 *
 * Source: System Management Bus Specification 2.0, section 5.5; Intel 82371AB (PIIX4) data sheet, section 7.3.
 */
#ifndef EMU_PCI_SMBUS_H
#define EMU_PCI_SMBUS_H

#include "emu/core/device.h"

enum { SMBUS_ADDRESSES = 128, SMBUS_BLOCK = 32 };

/* Who answers at an address. */
typedef struct SmbusTarget {
    /* Octets that the host has written after the address; false if they are not acknowledged. */
    bool (*write)(void *opaque, const uint8_t *octets, size_t len);
    uint8_t (*read)(void *opaque);
    void *opaque;
} SmbusTarget;

/* The bus, which has a section of its own ("i2c_bus"). */
typedef struct SmbusState {
    uint8_t saved_address; /* in an open transfer; there is none between two accesses of a guest: 0xff */
} SmbusState;

typedef struct Smbus {
    Device dev;
    const SmbusTarget *targets[SMBUS_ADDRESSES]; /* borrowed */
    SmbusState s;
} Smbus;

extern const DeviceType smbus_type;

/* Memory of 256 octets behind an address, one for each memory module: "smbus-eeprom", saved once the guest has used it.
 */
extern const DeviceType smbus_eeprom_type;

/* Where it answers, and what it has after reset (256 octets, copied; NULL: zeros). Before it is realized. */
void smbus_eeprom_set(Device *dev, Device *bus, uint8_t address, const uint8_t *data);

/* --- the host controller ---------------------------------------------------------------------------------------- */

enum { SMBUS_HOST_PORTS = 64 };

typedef struct SmbusHostState {
    uint8_t smb_stat;
    uint8_t smb_ctl;
    uint8_t smb_cmd;
    uint8_t smb_addr;
    uint8_t smb_data0;
    uint8_t smb_data1;
    uint32_t smb_index; /* of smb_data, at port 7 */
    uint8_t smb_data[SMBUS_BLOCK];
    uint8_t smb_auxctl; /* this and what follows is of QEMU's ICH9, and but kept */
    uint8_t smb_blkdata;
    bool i2c_enable;
    bool op_done;
    bool in_i2c_block_read;
    bool start_transaction_on_status_read; /* started, but nobody has looked yet */
} SmbusHostState;

extern const VMStateDescription smbus_host_state;

void smbus_host_reset(SmbusHostState *s);

/* A message, if it is none; NULL. */
const char *smbus_host_check(const SmbusHostState *s);

/* Its registers, from 0. */
uint8_t smbus_host_read(SmbusHostState *s, Smbus *bus, unsigned reg);
void smbus_host_write(SmbusHostState *s, unsigned reg, uint8_t value);

#endif
