using Akvam.Devices;

namespace Akvam;

/// <summary>
/// Where the IOAPIC is the client's: an EOI of a level-triggered interrupt that one of its routes sent becomes KVM_EXIT_IOAPIC_EOI. [KVM 5 KVM_EXIT_IOAPIC_EOI]
/// </summary>
internal sealed class SplitEoiListener : IEoiListener
{
    private const uint LevelTriggered = 1 << 15;

    private readonly Vm _vm;
    private readonly IrqRouter _router;
    private readonly int _routes;
    private bool[] _handled = new bool[256];

    /// <param name="vm">Whose vCPUs exit.</param>
    /// <param name="router">Its routes.</param>
    /// <param name="routes">GSIs below this are the client's IOAPIC.</param>
    public SplitEoiListener(Vm vm, IrqRouter router, int routes)
    {
        _vm = vm;
        _router = router;
        _routes = routes;
        router.RoutesChanged += Rescan;
    }

    public bool HandlesVector(byte vector) => Volatile.Read(ref _handled)[vector];

    public void Eoi(Lapic source, byte vector, bool levelTriggered, bool broadcastSuppressed) => _vm.Find(source.InitialId)?.EndedInterrupt(vector);

    private void Rescan()
    {
        var handled = new bool[256];
        for (int gsi = 0; gsi < _routes; gsi++)
        {
            foreach (ref readonly IrqRoute route in _router.RoutesOf(gsi))
            {
                if (route.IsMsi && (route.Msi.Data & LevelTriggered) != 0)
                {
                    handled[(byte)route.Msi.Data] = true;
                }
            }
        }

        Volatile.Write(ref _handled, handled);
    }
}
