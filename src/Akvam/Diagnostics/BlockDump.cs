using System.Globalization;
using Akvam.Cpu.Diagnostics;

namespace Akvam.Diagnostics;

/// <summary>A file with the guest and host code of each translation of one processor, in the order in which they were made.</summary>
internal sealed class BlockDump : ITranslationObserver, IDisposable
{
    private readonly StreamWriter _file;

    public BlockDump(string folder, uint vcpu)
    {
        Directory.CreateDirectory(folder);
        _file = new StreamWriter(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"vcpu{vcpu}.txt")));
    }

    public void Translated(in Translation translation) => _file.WriteLine(CodeListing.Format(in translation));

    public void Dispose() => _file.Dispose();
}
