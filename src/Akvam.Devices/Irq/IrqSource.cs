namespace Akvam.Devices;

/// <summary>Who drives a line. A line is high while any of its sources holds it high.</summary>
public static class IrqSource
{
    /// <summary>KVM_IRQ_LINE and plain irqfds.</summary>
    public const int User = 0;

    /// <summary>irqfds with a resampler, lowered together at EOI.</summary>
    public const int Resample = 1;

    public const int Pit = 2;

    /// <summary>First id <see cref="IrqRouter.AllocateSource"/> hands out.</summary>
    public const int FirstFree = 3;

    /// <summary>One bit each in a 64-bit word per pin.</summary>
    public const int Count = 64;
}
