namespace Akvam.Devices;

/// <content>State as KVM_GET_IRQCHIP and KVM_SET_IRQCHIP carry it [KVM 4.26, 4.27].</content>
public sealed partial class Ioapic
{
    /// <summary>The state; IRR bits whose edge has already been delivered are left out.</summary>
    public IoapicState GetState()
    {
        lock (_gate)
        {
            var state = new IoapicState
            {
                BaseAddress = BaseAddress,
                IoRegSel = _select,
                Id = _id,
                Irr = _irr & ~_sent,
            };
            _table.CopyTo(state.Redirection);
            return state;
        }
    }

    /// <summary>Replaces the state and delivers what its IRR still asks for. Lines' sources keep their levels.</summary>
    public void SetState(in IoapicState state)
    {
        lock (_gate)
        {
            BaseAddress = state.BaseAddress;
            _select = state.IoRegSel & 0xFF;
            _id = state.Id & 0xF;
            for (int pin = 0; pin < PinCount; pin++)
            {
                _table[pin] = state.Redirection[pin] & ~RedirectionEntry.DeliveryStatus;
            }

            _irr = 0;
            _sent = 0;
            UpdateHandled();
            for (int pin = 0; pin < PinCount; pin++)
            {
                if ((state.Irr & AllPins & (1u << pin)) != 0)
                {
                    SetLine(pin, level: true);
                }
            }
        }
    }
}
