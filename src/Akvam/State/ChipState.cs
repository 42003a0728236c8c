using Akvam.Abi;
using Akvam.Devices;

namespace Akvam;

/// <summary>Between the devices' states and the ABI's structures.</summary>
internal static class ChipState
{
    /// <exception cref="KvmException">EINVAL: no such chip.</exception>
    public static kvm_irqchip Get(Irqchip irqchip, uint chipId)
    {
        var result = new kvm_irqchip { chip_id = chipId };
        switch (chipId)
        {
            case KvmIrq.KVM_IRQCHIP_PIC_MASTER:
            case KvmIrq.KVM_IRQCHIP_PIC_SLAVE:
                PicState p = irqchip.Pic.GetState((IrqChipId)chipId);
                result.chip.pic = new kvm_pic_state
                {
                    last_irr = p.LastIrr,
                    irr = p.Irr,
                    imr = p.Imr,
                    isr = p.Isr,
                    priority_add = p.PriorityAdd,
                    irq_base = p.IrqBase,
                    read_reg_select = p.ReadRegSelect,
                    poll = p.Poll,
                    special_mask = p.SpecialMask,
                    init_state = p.InitState,
                    auto_eoi = p.AutoEoi,
                    rotate_on_auto_eoi = p.RotateOnAutoEoi,
                    special_fully_nested_mode = p.SpecialFullyNestedMode,
                    init4 = p.Init4,
                    elcr = p.Elcr,
                    elcr_mask = p.ElcrMask,
                };
                return result;
            case KvmIrq.KVM_IRQCHIP_IOAPIC:
                IoapicState io = irqchip.Ioapic.GetState();
                result.chip.ioapic = new kvm_ioapic_state { base_address = io.BaseAddress, ioregsel = io.IoRegSel, id = io.Id, irr = io.Irr };
                for (int pin = 0; pin < Ioapic.PinCount; pin++)
                {
                    result.chip.ioapic.redirtbl[pin] = io.Redirection[pin];
                }

                return result;
            default:
                throw new KvmException(Errno.EINVAL, $"chip {chipId}");
        }
    }

    /// <exception cref="KvmException">EINVAL: no such chip.</exception>
    public static void Set(Irqchip irqchip, in kvm_irqchip chip)
    {
        switch (chip.chip_id)
        {
            case KvmIrq.KVM_IRQCHIP_PIC_MASTER:
            case KvmIrq.KVM_IRQCHIP_PIC_SLAVE:
                kvm_pic_state p = chip.chip.pic;
                irqchip.Pic.SetState((IrqChipId)chip.chip_id, new PicState
                {
                    LastIrr = p.last_irr,
                    Irr = p.irr,
                    Imr = p.imr,
                    Isr = p.isr,
                    PriorityAdd = p.priority_add,
                    IrqBase = p.irq_base,
                    ReadRegSelect = p.read_reg_select,
                    Poll = p.poll,
                    SpecialMask = p.special_mask,
                    InitState = p.init_state,
                    AutoEoi = p.auto_eoi,
                    RotateOnAutoEoi = p.rotate_on_auto_eoi,
                    SpecialFullyNestedMode = p.special_fully_nested_mode,
                    Init4 = p.init4,
                    Elcr = p.elcr,
                    ElcrMask = p.elcr_mask,
                });
                break;
            case KvmIrq.KVM_IRQCHIP_IOAPIC:
                kvm_ioapic_state io = chip.chip.ioapic;
                var state = new IoapicState { BaseAddress = io.base_address, IoRegSel = io.ioregsel, Id = io.id, Irr = io.irr };
                for (int pin = 0; pin < Ioapic.PinCount; pin++)
                {
                    state.Redirection[pin] = io.redirtbl[pin];
                }

                irqchip.Ioapic.SetState(in state);
                break;
            default:
                throw new KvmException(Errno.EINVAL, $"chip {chip.chip_id}");
        }
    }

    public static kvm_pit_state2 Get(Pit pit)
    {
        PitState state = pit.GetState();
        var result = new kvm_pit_state2 { flags = state.Flags };
        result.channels[0] = ToAbi(in state.Channel0);
        result.channels[1] = ToAbi(in state.Channel1);
        result.channels[2] = ToAbi(in state.Channel2);
        return result;
    }

    public static void Set(Pit pit, in kvm_pit_state2 state) => pit.SetState(new PitState
    {
        Channel0 = FromAbi(in state.channels[0]),
        Channel1 = FromAbi(in state.channels[1]),
        Channel2 = FromAbi(in state.channels[2]),
        Flags = state.flags,
    });

    /// <exception cref="KvmException">EINVAL: a type that only other hypervisors' guests have, or flags.</exception>
    public static IrqRoute[] Routes(ReadOnlySpan<kvm_irq_routing_entry> entries)
    {
        var routes = new IrqRoute[entries.Length];
        for (int i = 0; i < entries.Length; i++)
        {
            ref readonly kvm_irq_routing_entry e = ref entries[i];
            routes[i] = e switch
            {
                { gsi: >= IrqRouter.MaxGsis } or { flags: not 0 } => throw new KvmException(Errno.EINVAL, $"route {i}"),
                { type: KvmIrq.KVM_IRQ_ROUTING_IRQCHIP } => IrqRoute.ToPin((int)e.gsi, (IrqChipId)e.u.irqchip.irqchip, (int)Math.Min(e.u.irqchip.pin, int.MaxValue)),
                { type: KvmIrq.KVM_IRQ_ROUTING_MSI } => IrqRoute.ToMsi((int)e.gsi, new MsiMessage(e.u.msi.address_lo, e.u.msi.address_hi, e.u.msi.data)),
                _ => throw new KvmException(Errno.EINVAL, $"route {i} has type {e.type}"),
            };
        }

        return routes;
    }

    private static kvm_pit_channel_state ToAbi(in PitChannelState c) => new()
    {
        count = c.Count,
        latched_count = c.LatchedCount,
        count_latched = c.CountLatched,
        status_latched = c.StatusLatched,
        status = c.Status,
        read_state = c.ReadState,
        write_state = c.WriteState,
        write_latch = c.WriteLatch,
        rw_mode = c.RwMode,
        mode = c.Mode,
        bcd = c.Bcd,
        gate = c.Gate,
        count_load_time = c.CountLoadTime,
    };

    private static PitChannelState FromAbi(in kvm_pit_channel_state c) => new()
    {
        Count = c.count,
        LatchedCount = c.latched_count,
        CountLatched = c.count_latched,
        StatusLatched = c.status_latched,
        Status = c.status,
        ReadState = c.read_state,
        WriteState = c.write_state,
        WriteLatch = c.write_latch,
        RwMode = c.rw_mode,
        Mode = c.mode,
        Bcd = c.bcd,
        Gate = c.gate,
        CountLoadTime = c.count_load_time,
    };
}
