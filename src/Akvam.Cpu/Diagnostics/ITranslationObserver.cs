namespace Akvam.Cpu.Diagnostics;

/// <summary>Hears of each piece of host code that the translator makes, on the thread of its processor.</summary>
public interface ITranslationObserver
{
    void Translated(in Translation translation);
}
