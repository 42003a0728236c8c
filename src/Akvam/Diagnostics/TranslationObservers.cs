using Akvam.Cpu.Diagnostics;

namespace Akvam.Diagnostics;

/// <summary>Several observers of one processor.</summary>
internal sealed class TranslationObservers(ITranslationObserver[] observers) : ITranslationObserver, IDisposable
{
    /// <summary>What a VM's options ask for, or null when that is nothing.</summary>
    public static TranslationObservers? Create(VmOptions options, uint vcpu)
    {
        List<ITranslationObserver> wanted = [];
        if (options.PerfMap)
        {
            wanted.Add(new PerfMap(PerfMap.DefaultPath));
        }

        if (options.DumpBlocks is { Length: > 0 } folder)
        {
            wanted.Add(new BlockDump(folder, vcpu));
        }

        if (options.KeepTranslations)
        {
            wanted.Add(new TranslationStore());
        }

        return wanted.Count == 0 ? null : new TranslationObservers([.. wanted]);
    }

    /// <summary>The copies of translations that are kept, or null.</summary>
    public TranslationStore? Store => observers.OfType<TranslationStore>().FirstOrDefault();

    public void Translated(in Translation translation)
    {
        foreach (ITranslationObserver observer in observers)
        {
            observer.Translated(in translation);
        }
    }

    public void Dispose()
    {
        foreach (ITranslationObserver observer in observers)
        {
            (observer as IDisposable)?.Dispose();
        }
    }
}
