/* mock-cpu.h: the sections of a processor that nobody runs. */
#ifndef TESTS_EMU_MOCK_CPU_H
#define TESTS_EMU_MOCK_CPU_H

#include "emu/kvm/cpu-state.h"
#include "tests/emu/support/board.h"

typedef struct Mock {
    Device dev;
    CpuState s;
} Mock;

static void reset_mock(Device *dev)
{
    cpu_state_reset(&((Mock *)dev)->s, dev->instance == 0);
}

static const DeviceType mock_cpu = {
    .name = "mock-cpu",
    .size = sizeof(Mock),
    .state = &cpu_state,
    .state_offset = offsetof(Mock, s),
    .reset = reset_mock,
};

typedef struct MockApic {
    Device dev;
    ApicState s;
} MockApic;

static void reset_mock_apic(Device *dev)
{
    apic_state_reset(&((MockApic *)dev)->s, (uint8_t)dev->instance, dev->instance == 0);
}

static const DeviceType mock_apic = {
    .name = "mock-apic",
    .size = sizeof(MockApic),
    .state = &apic_state,
    .state_offset = offsetof(MockApic, s),
    .reset = reset_mock_apic,
};

typedef struct MockCommon {
    Device dev;
    CpuCommonState s;
} MockCommon;

static const DeviceType mock_common = {
    .name = "mock-common",
    .size = sizeof(MockCommon),
    .state = &cpu_common_state,
    .state_offset = offsetof(MockCommon, s),
};

static inline Device *mock_add(Board *board, const DeviceType *type, uint32_t instance)
{
    Device *dev = device_new(type);

    dev->instance = instance;
    dev->has_instance = true;
    return board_add(board, dev);
}

#endif
